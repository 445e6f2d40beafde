"""Trained models back from a run's folder, whole or the encoder alone."""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import pathlib
from typing import Any
import warnings

import jax
import numpy as np

from maes_jax import answering
from maes_jax import checkpoints
from maes_jax import errors
from maes_jax import files
from maes_jax import limits
from maes_jax import models
from maes_jax import options
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params
from maes_jax.training.workdir import Workdir

NEVER = -1  # As an iteration: of what has not come to be.
_HERE = pathlib.Path(__file__).parent
# A wheel holds the shipped models inside the package, a checkout beside it.
_SHIPPED = next((folder for folder in (_HERE / 'shipped_models', _HERE.parent / 'checkpoints')
                 if folder.is_dir()), _HERE / 'shipped_models')


@dataclasses.dataclass(frozen=True, eq=False)  # Arrays are not equal or not, as a whole.
class Trained:
  """One model of a population, ready for any memory size."""
  config: Config
  model: Model
  index: int  # which of the population it is
  saved: Mapping[str, Any]  # its `TrainState` without the optimizer's, no population axis

  @property
  def params(self) -> Params:
    return self.saved['params']

  @property
  def iterations(self) -> int:
    """How long it was trained."""
    return int(self.saved['iteration'])

  @property
  def converged(self) -> bool:
    return int(self.saved['converged']) != NEVER

  def answer(self, sequences: Any, aux: Any = None, *, task: tasks.Task | str = '',
             addresses: int | None = None, hard: bool = False) -> Any:
    """What the model answers about sequences of one's own, markers added.

    Sequences are padded to the next of 15, 31, 63, ... items and go through a compiled program by
    32: the first of a size waits for it to be compiled, later ones do not, however many they are.

    Args:
      sequences: an array [n, D], of tokens [n] whole numbers, or a list of such of any lengths.
      aux: the auxiliary sequence of each, for tasks that ask about one.
      task: which of its tasks, where it has several, or one of your own under the name of one.
      addresses: N. By default the smallest power of two that the sequence and its marker fit into,
        or the size in training, if that is larger.
      hard: give bits, tokens or numbers, not probabilities.

    Returns:
      The answers that count [m, Y], of tokens without doubt [m]; of a list of sequences a list.

    Raises:
      UserError: a sequence or a memory of another size, other numbers than the task's, no such
        task, one that is no question about items, or nothing to choose by `hard`: an answer that
        is not finite.
    """
    asked = answering.choose(self.model, task)
    several = isinstance(sequences, list | tuple)
    if not isinstance(hard, bool | np.bool_):
      raise errors.UserError(f'hard is {errors.shortened(hard)}; it must be True or False')
    if several and aux is not None:
      errors.of_type('aux is', aux, list | tuple | np.ndarray | jax.Array,
                     'a list, as the sequences are')
      if len(aux) != len(sequences):
        raise errors.UserError(f'{len(sequences):,} sequences and {len(aux):,} aux; give as many')
    found = answering.answers(
        self.model, self.params, asked, sequences if several else [sequences],
        aux if several or aux is None else [aux], self.config.memory, addresses, hard)
    return found if several else found[0]


def load(
    path: str | pathlib.Path, index: int | None = None, *, only: str | Sequence[str] = (),
) -> Trained:
  """Restores a model from the workdir of a training run.

  Args:
    path: the workdir, or the name of a shipped model, e.g. `E_J`; a workdir goes first.
    index: which model of the population; None takes the best: the first to converge or, where
      none has, the one of the smallest validation loss.
    only: a top-level key of the parameters, e.g. 'encoder', or several: nothing else is read. One
      that the model lacks is left out.

  Raises:
    UserError: no intact run is there, or the population has no such model.
  """
  config, model, saved = _restored(path, only)
  index = best(saved) if index is None else index
  if not limits.is_whole(index) or not 0 <= index < config.seeds:
    raise errors.UserError(f'model {errors.shortened(index)} is not in {path}: its population has '
                           f'the models 0 to {config.seeds - 1}; give the number of one')
  return _one(config, model, saved, index)


def load_all(path: str | pathlib.Path) -> list[Trained]:
  """Restores all models of a population; see `load`."""
  config, model, saved = _restored(path)
  return [_one(config, model, saved, index) for index in range(config.seeds)]


def _restored(path, only=()):
  """A run's config, its kind of model, and what was saved of the population."""
  workdir = Workdir(find(files.local(path)))
  config = workdir.read_config()
  model = models.build(config)
  whole = _saved(config, model)
  params = whole['params']
  example = "keys of the parameters, e.g. 'encoder'"
  only = [only] if isinstance(only, str) else list(
      errors.of_type('only is', only, Iterable, example)) or params.keys()
  wanted = {**whole, 'params': {key: params[key] for key in only if key in params}}
  if not wanted['params']:
    raise errors.UserError(f'{path} has no parameters {errors.shortened(list(only))}; it has '
                           f'{", ".join(params)}; give one of these as only')
  _, saved = checkpoints.restore(workdir.checkpoints, wanted, workdir.fingerprint, whole)
  return config, model, saved


def _one(config, model, saved, index):
  return Trained(config, model, index, jax.tree.map(lambda leaf: leaf[index], saved))


def find(path):
  """The folder of a run or of a shipped model; the path itself where neither is there."""
  return _SHIPPED / path if not path.exists() and (_SHIPPED / path).is_dir() else path


def shipped() -> list[str]:
  """The names of the models that come with the library.

  >>> 'E_J' in shipped()
  True
  """
  return sorted(path.parent.name for path in _SHIPPED.glob('*/config.json'))


def _saved(config, model):
  """The shapes of what a checkpoint holds of a population, without the optimizer's state."""
  params = _shapes(config, model)
  population = jax.tree.map(
      lambda leaf: jax.ShapeDtypeStruct((config.seeds, *leaf.shape), leaf.dtype), params)
  number, loss = (jax.ShapeDtypeStruct((config.seeds,), kind) for kind in (np.int32, np.float32))
  return {'params': population, 'loss': loss, 'validation_loss': loss,
          **dict.fromkeys(('seed', 'iteration', 'first_batch', 'converged'), number)}


def _shapes(config, model):
  try:
    with warnings.catch_warnings(action='ignore'):  # Of numbers beyond 32 bits; they are refused.
      return jax.eval_shape(lambda: model.init(jax.random.key(0)))
  except (OverflowError, TypeError, ValueError) as error:
    raise errors.UserError(f'model {config.model!r} of these sizes is impossible: {error}; '
                           'restore config.json from a copy') from error


def best(saved: Mapping[str, Any]) -> int:
  """The model of a population that converged first or, where none has, validated best."""
  converged = np.asarray(saved['converged'])
  if (converged != NEVER).any():
    return int(np.where(converged == NEVER, np.iinfo(converged.dtype).max, converged).argmin())
  return int(np.nan_to_num(saved['validation_loss'], nan=np.inf).argmin())


def load_encoder(config: Config) -> Params:
  """What `config.encoder` names, by top-level key: the encoder, and `embed` where it has one.

  An encoder learnt to read what its embedding makes of the items: it is of no use without. Nothing
  else is read.

  Raises:
    UserError: no intact checkpoint is there, or its encoder is not of this config's model.
  """
  source = load(config.encoder, config.encoder_model, only=('encoder', 'embed'))
  found = _describe(source.config.model, source.model)
  wanted = _describe(config.model, models.build(config))
  if found != wanted:
    raise errors.UserError(f'the encoder in {config.encoder} is {found}, not {wanted}; '
                           'give the same options')
  return source.params


def _describe(name, model) -> str:
  """The model, what it reads and those of its encoder's options that parameters depend on."""
  known = options.of(type(model.encoder))
  text = ', '.join(f'{option}={getattr(model.encoder, option)}' for option, field in known.items()
                   if not field.metadata.get('initial'))
  return f'{name} {text}, reading {_reading(model)}'


def _reading(model) -> str:
  """What an item is to a model."""
  embedding = jax.tree.leaves(models.parameters(model).get('embed', {}))
  through = ''.join(f' through an embedding {list(leaf.shape)}' for leaf in embedding)
  return f'{model.inputs} numbers{through}'
