"""The cells of the matrix: a model on a task, as a config and the tests of it."""

from collections.abc import Mapping, Sequence
import dataclasses
import pathlib
from typing import Any

from . import protocol
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import extras
from maes_jax import families
from maes_jax import models
from maes_jax import phases
from maes_jax import tasks
from maes_jax import trained
from maes_jax.config import Config
from maes_jax.tasks import episode

# Models of the matrix that are no family of their own.
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    'maes': {'model': 'maes'},
    'maes_frozen': {'model': 'maes', 'encoder': 'E_J'},
    'maes_frozen_plus': {'model': 'maes', 'encoder': 'E_J+'},
    'maes_content': {
        'model': 'maes', 'cell': {'head': 'content'}, 'solver': {'head': 'content'}},
    **{f'transformer_{position}': {'model': 'transformer', 'cell': {'position': position}}
       for position in ('none', 'bias', 'random')}}
MODELS = ('maes', 'maes_frozen', 'maes_frozen_plus', 'maes_content', 'dwm', 'ntm', 'dnc', 'lstm',
          'gru')
ABOUT = {'maes': 'MAES, end to end', 'maes_frozen': 'MAES on the shipped encoder E_J, frozen',
         'maes_frozen_plus': 'MAES on the shipped encoder E_J+, frozen; it learnt Scratch Pad, too',
         'maes_content': "MAES that looks by content, too (head='content')",
         'transformer': 'Transformer, positions by rotation',
         'transformer_none': 'Transformer, told no positions',
         'transformer_bias': 'Transformer, biased by distance',
         'transformer_random': 'Transformer, random positions in training, but not in tests'}
ALL = 'all'


@dataclasses.dataclass(frozen=True)
class Effort:
  """How many sequences a model is tested on.

  Attributes:
    row: at each length of the row and of the score.
    batch: at a time in a test.
    converged: batches of a test of a seed that converged.
    others: batches of any other.
  """
  row: int = 32
  batch: int = 32
  converged: int = 4
  others: int = 1


# Of models that are slow at length, by name, or by name and part of the matrix, and of such a part
# for all others. A step of the DNC costs the square of its memory; an LSTM projects all steps at
# once, padded ones too, of which dual tasks have many. A sequence of pictures may have one answer,
# and some of them will be wrong.
EFFORTS: Mapping[str, Effort] = {
    'dnc': Effort(row=4, batch=1),
    'dnc/dual': Effort(row=1, batch=1),
    'lstm': Effort(row=8, batch=8),
    'lstm/dual': Effort(row=2, batch=1),
    'pictures': Effort(row=256, converged=8, others=8)}


@dataclasses.dataclass(frozen=True)
class Cell:
  """A model on a task; `name` is also the path of its record, without the ending."""
  model: str
  task: str

  @property
  def name(self) -> str:
    return f'{self.model}/{self.task}'

  @property
  def protocol(self) -> protocol.Protocol:
    return protocol.of(self.task)

  @property
  def effort(self) -> Effort:
    part = protocol.group(self.task)
    names = f'{self.model}/{part}', self.model, part
    return next((EFFORTS[name] for name in names if name in EFFORTS), Effort())

  def config(self, seeds: int, max_iterations: int) -> Config:
    """The resolved config: the protocol of the task, the recipe of the family."""
    options = VARIANTS.get(self.model) or {'model': self.model}
    task = tasks.get(self.task)
    sizes = self.protocol.config(task)
    for length, memory in (('max_length', 'memory'), ('validation_length', 'validation_memory')):
      sizes[memory] = _addresses(options['model'], task, sizes[length], sizes[memory])
    return families.resolve(Config(
        task=(self.task,), seeds=seeds, max_iterations=max_iterations, **options, **sizes))

  def obstacle(self, config: Config) -> str:
    """Why this model cannot be asked this task, in a line; '' where it can.

    Raises:
      UserError: what has nothing to do with the two: a package or the encoder is missing.
    """
    if config.encoder and pathlib.Path(config.encoder).exists():
      raise errors.UserError(f'there is a folder {config.encoder} here, and {self.model} is about '
                             'the shipped model of that name; start in another folder')
    source = trained.load(config.encoder, only='encoder') if config.encoder else None
    try:
      models.check(config)
      self._check_tests()
      if source and (reason := _cannot_read(config, source.model, models.build(config))):
        return reason
      if source:
        trained.load_encoder(config)
    except extras.MissingPackage:
      raise
    except errors.UserError as error:
      return errors.line(error)
    return ''

  def _check_tests(self):
    """Whether a task from data has examples as long as it is tested on."""
    for test in self.protocol.tests:
      test.made(self.task).check_tested(test.length, test.length)
    for length in self.protocol.scored:
      tasks.get(self.task).check_tested(length, length)

  def tester(self, config: Config, length: int, task: episode.Task, batch: int,
             ) -> evaluation.Tester:
    """Of sequences up to a length, in a memory that just holds them."""
    addresses = _addresses(config.model, task, length, protocol.memory_for(task, length))
    return evaluation.Tester(models.build(config), task, length, addresses, batch)


def _addresses(model, task, length, at_least):
  """So many, or as many as a model needs that keeps every step."""
  steps = phases.size(tasks.dry_run(task, length).program)
  return max(at_least, families.FAMILIES[model].cell.addresses_for(steps))


def _cannot_read(config, source, model) -> str:
  """Why an encoder cannot read the items of a task; '' where nothing is against it."""
  if model.embed:
    return f'{config.encoder} reads words of bits, not what is made of these items'
  if model.inputs != source.inputs:
    return (f'{config.encoder} reads {source.inputs} numbers an item, control bits included; here '
            f'there are {model.inputs}')
  return ''


def select(model_names: Sequence[str], task_names: Sequence[str]) -> list[Cell]:
  """The cells that names ask for, each once, task by task.

  Args:
    model_names: models of the matrix, or any family.
    task_names: tasks, parts of the matrix, or `all`.

  Raises:
    UserError: an unknown name; says which there are.
  """
  known = {**VARIANTS, **families.FAMILIES}
  for name in model_names:
    errors.pick('model', name, known)
  parts = {**{name: (name,) for name in tasks.TASKS}, **protocol.GROUPS, ALL: tuple(tasks.TASKS)}
  asked = [task for name in task_names for task in errors.pick('task', name, parts)]
  return [Cell(model, task) for task in dict.fromkeys(asked)
          for model in dict.fromkeys(model_names)]
