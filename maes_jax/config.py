"""One frozen, typed value that says all there is to say about a training run.

Its fields are the flags of the binaries and the keys of `config.json`. `None` stands for "the
value of the recipe, the model or the task"; `families.resolve` fills it in.
"""

from collections.abc import Mapping
import dataclasses
import json
import math
import textwrap
import typing
from typing import Any

import numpy as np

from maes_jax import errors
from maes_jax import options
from maes_jax.options import OfCells
from maes_jax.options import Options

WINDOW = 100  # Iterations of one compiled call; over as many the loss is averaged.
LARGEST = 2**30  # Of whole numbers: the sum of two still fits into the 32 bits that JAX counts in.
LARGEST_FLOAT = 2.**127  # Of other numbers, in single precision.


_NONE = Options()


def _field(default, help, minimum=None, choices=None, maximum=None):
  metadata = {'help': help, 'minimum': minimum, 'choices': choices, 'maximum': maximum}
  return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, init=False)
class Config:
  """What to train and how.

  Options of cells may be given by their names, too: `Config(units=7)` is
  `Config(cell={'units': 7})`, for all that `options.NAMED` lists.
  """  # Behind the class its fields are added.
  # What.
  model: str = _field('maes', 'Model, by name.')
  task: tuple[str, ...] = _field(
      ('serial_recall',), 'Task, or several with commas: then their solvers share one encoder.')
  task_weights: tuple[float, ...] = _field(
      (), 'Weight of each task in the loss, with commas. Default: equal.')
  # The population.
  seeds: int = _field(1, 'Models trained side by side.', minimum=1)
  seed: int = _field(0, 'Seed of the first model; model k has seed + k.', minimum=0)
  # The model's options.
  cell: Options = _field(  # noqa: RUF009  A config copies it.
      _NONE, 'Options of the model, e.g. units=7,width=12: the fields of the class of its cells. '
      'What a task needs of its solver goes before them.')
  solver: Options = _field(  # noqa: RUF009
      _NONE, 'Options of its solvers alone, e.g. shift_range=2. They go before those of the model, '
      'and before those of one cell.')
  solvers: OfCells | None = _field(  # noqa: RUF009
      None, "Options by a solver's or further cell's name, and no others for what its task needs, "
      'e.g. odd_recall:shift_range=3;temporal_rotation/end:head=sharp,walk_bias=-4.')
  # Data.
  memory: int = _field(30, 'Memory addresses N in training.', minimum=1)
  batch_size: int | None = _field(None, 'Sequences per iteration and model.', minimum=1)
  hard_batches: int | None = _field(
      None, 'Batches drawn besides, once lengths are full, whose hardest sequences take the place '
      'of half of a batch; 0: none.', minimum=0, maximum=options.MANY)
  ring: str | None = _field(
      None, 'How many of its memory addresses a training sequence has, as a ring: all of them '
      '(whole), twice its items and markers (double), or any number from one more than those on '
      '(drawn).', choices=('whole', 'double', 'drawn'))
  phase_bit: bool | None = _field(
      None, 'A model of one cell is told by a control bit of its own when an answer is due; to '
      'others, whose cells take turns, it makes no difference.')
  min_length: int = _field(3, 'Shortest training sequence.', minimum=1)
  max_length: int = _field(20, 'Longest training sequence.', minimum=1)
  # Training.
  recipe: str | None = _field(
      None, 'Learning rate, decay and length schedule.',
      choices=('short_first', 'plain', 'curriculum'))
  start_min_length: int | None = _field(
      None, 'Shortest training sequence at first; see hold and grow.', minimum=1)
  start_length: int | None = _field(
      None, 'Longest training sequence at first; see hold and grow.', minimum=1)
  hold: int | None = _field(
      None, 'Iterations with sequences of start_min_length to start_length.', minimum=0)
  grow: int | None = _field(
      None, 'Iterations after these in which both grow to the full range; with hold 0 and grow 0 '
      'lengths are full from the start.', minimum=0)
  learning_rate: float | None = _field(None, "Adam's learning rate.", minimum=0.)
  warmup: int | None = _field(
      None, 'Iterations in which the learning rate rises from 0.', minimum=0)
  half_life: int | None = _field(
      None, 'Iterations in which the learning rate halves, five times at most, once lengths are '
      'full; 0: it does not.', minimum=0)
  b2: float | None = _field(
      None, "Adam's decay of the second moment.", minimum=0., maximum=0.999999)
  clip: float | None = _field(
      None, 'Gradients are clipped element by element to this, not those of maes2018 and of '
      'optimizers of your own.', minimum=0.)
  stop_loss: float | None = _field(
      None, 'A model is done once its loss is at or under this; see stop_on.', minimum=0.)
  stop_on: str | None = _field(
      None, 'What stops a model: the 100-iteration mean of its loss in training, the loss of a '
      'validation, or a proof that it is right at every length (certified), which is looked for '
      'at validations.', choices=('training', 'validation', 'certified'))
  restart_every: int | None = _field(
      None, 'A model that is not done after so many iterations, a multiple of 100, starts anew '
      'from other parameters, and again after as many, as long as max_iterations leaves a start '
      'its time; 0: it goes on.', minimum=0)
  max_iterations: int = _field(
      100_000, 'End of training for models not done by then, at the next multiple of 100.',
      minimum=1)
  # Validation.
  validate_every: int | None = _field(
      None, 'Iterations between validations, each at the next multiple of 100.', minimum=1)
  validation_length: int | None = _field(
      None, 'Length of the validation sequences.', minimum=1)
  validation_memory: int | None = _field(None, 'Memory addresses in validation.', minimum=1)
  validation_sequences: int = _field(64, 'Sequences per validation.', minimum=1)
  # Transfer.
  encoder: str | None = _field(None, 'Workdir or checkpoint whose encoder is taken over.')
  encoder_model: int | None = _field(
      None, 'Model of that population; default: the best.', minimum=0)
  unfreeze: bool = _field(False, 'Fine-tune the encoder taken over instead of freezing it.')

  def __init__(self, **values: Any):
    values = options.gathered(values)
    _check_names(values)
    for field in dataclasses.fields(self):
      value = _plain(values.get(field.name, field.default))
      object.__setattr__(self, field.name, checked(
          field.name, value, field.type, **_bounds(field)))
    _check_relations(self)

  @property
  def full_range_from(self) -> int:
    """The first iteration whose lengths reach from min_length to max_length."""
    return self.hold + self.grow  # type: ignore[operator]  # resolved: neither is None

  def to_json(self) -> str:
    return json.dumps(dataclasses.asdict(self), indent=2) + '\n'

  @classmethod
  def from_dict(cls, values: Mapping[str, Any]) -> 'Config':
    """Reads a config back; an unknown key is an error that names the closest known one."""
    if not isinstance(values, Mapping):
      raise errors.UserError(f'a config is a mapping of names to values, not {values!r}')
    tuples = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return cls(**{str(key): value for key, value in {**values, **tuples}.items()})


def _described(field):
  return textwrap.fill(f'{field.name}: {field.metadata["help"]}', 96, initial_indent='    ',
                       subsequent_indent='      ', break_on_hyphens=False)


Config.__doc__ = '\n'.join([
    f'{Config.__doc__}', '  Attributes:', *map(_described, dataclasses.fields(Config))])


def differences(one: Config, other: Config) -> list[str]:
  """The fields in which two configs differ, as `name: this, not that`."""
  pairs = ((f.name, getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
  return [f'{name}: {a!r}, not {b!r}' for name, a, b in pairs if a != b]


def _check_names(values):
  known = {field.name for field in dataclasses.fields(Config)} | options.NAMED.keys()
  for key in values:
    if key not in known:
      raise errors.UserError(f'unknown config key {key!r}{errors.hint(key, known)}')


def _plain(value):
  """Python's own number or text for NumPy's, also within a tuple or a mapping."""
  if isinstance(value, tuple):
    return tuple(map(_plain, value))
  if isinstance(value, Mapping):
    return Options({name: _plain(option) for name, option in value.items()})
  return value.item() if isinstance(value, np.generic) else value


def _bounds(field):
  return {name: field.metadata.get(name) for name in ('minimum', 'maximum', 'choices')}


def checked_option(name: str, value: Any, field: dataclasses.Field, kind: Any) -> Any:
  """The value of a cell's option; see `checked`."""
  return checked(name, _plain(value), kind, **_bounds(field))


def checked(name: str, value: Any, kind: Any, minimum: float | None = None,
            maximum: float | None = None, choices: tuple[str, ...] | None = None) -> Any:
  """The value, if it is what it may be.

  Args:
    name: what it is called.
    value: what was given.
    kind: its type; a whole number will do for a float.
    minimum: the smallest number allowed.
    maximum: the largest; by default what can be counted or held in single precision.
    choices: what it must be one of.

  Raises:
    UserError: it is not.
  """
  if not _fits(value, kind):
    written = _WRITTEN.get(kind) or (kind.__name__ if isinstance(kind, type) else kind)
    hint = f', e.g. {(value,)!r}' if _fits((value,), kind) else ''
    raise errors.UserError(f'{name} is {errors.shortened(value)}; it must be {written}{hint}')
  if choices and value is not None:
    errors.pick(name, value, dict.fromkeys(choices))
  if isinstance(value, int | float):
    largest = LARGEST_FLOAT if float in (kind, *typing.get_args(kind)) else LARGEST
    _check_number(name, value, minimum, largest if maximum is None else maximum)
  return value


def _check_number(name, value, minimum, maximum):
  if isinstance(value, float) and not math.isfinite(value):
    raise errors.UserError(f'{name} is {value}; it must be a finite number')
  if minimum is not None and not value >= minimum:
    raise errors.UserError(f'{name} is {errors.shortened(value)}; it must be at least {minimum}')
  if abs(value) > maximum:
    raise errors.UserError(f'{name} is {errors.shortened(value)}; it must be at most {maximum}')


_WRITTEN = {
    Options: "a mapping of options to values, e.g. {'units': 7}",
    OfCells | None: "a mapping of cells to options, e.g. {'odd_recall': {'shift_range': 3}}"}


def _fits(value, kind):
  """Whether a value is of a field's type; a whole number will do for a float."""
  if kind == OfCells | None:
    return value is None or (isinstance(value, Options) and all(
        isinstance(name, str) and _fits(given, Options) for name, given in value.items()))
  if kind is Options:
    return isinstance(value, Options) and all(
        isinstance(name, str) and isinstance(option, bool | int | float | str)
        for name, option in value.items())
  if _items(kind):
    return isinstance(value, tuple) and all(_fits(item, _items(kind)) for item in value)
  kinds = typing.get_args(kind) or (kind,)
  if isinstance(value, bool):
    return bool in kinds
  return isinstance(value, (*kinds, int) if float in kinds else kinds)


def _items(kind):
  """The type of a tuple's items; None for any other type."""
  return typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else None


def _check_relations(config):
  for start, end in (('start_length', 'max_length'), ('start_min_length', 'start_length')):
    first, second = getattr(config, start), getattr(config, end)
    if None not in (first, second) and first > second:
      raise errors.UserError(f'{start} is {first} and {end} {second}; '
                             'the first must not be larger than the second')
  if config.min_length > config.max_length:
    raise errors.UserError(
        f'min_length is {config.min_length} and max_length {config.max_length}; '
        'the shortest sequence must not be longer than the longest')
  if not config.task or len(set(config.task)) != len(config.task):
    raise errors.UserError(f'task is {",".join(config.task)!r}; name one task or more, each once')
  if config.task_weights and len(config.task_weights) != len(config.task):
    raise errors.UserError(
        f'task_weights has {len(config.task_weights)} values for {len(config.task)} tasks; '
        'give one for each')
  if any(not 0 < weight < float('inf') for weight in config.task_weights):
    raise errors.UserError(
        f'task_weights are {config.task_weights}; every weight must be positive')
  if config.unfreeze and not config.encoder:
    raise errors.UserError('unfreeze is True and no encoder is taken over; name one as encoder, or '
                           'leave unfreeze out')
  _check_restarts(config)
  if config.hard_batches and config.batch_size == 1:
    raise errors.UserError(f'hard_batches is {config.hard_batches} and batch_size 1; half of a '
                           'batch are hard sequences: use a batch_size of 2 or more')
  check_memory(config.max_length, config.memory, 'max_length', 'memory')
  if None not in (config.validation_length, config.validation_memory):
    check_memory(config.validation_length, config.validation_memory, 'validation_length',
                 'validation_memory')


def _check_restarts(config):
  every = config.restart_every
  if every and every % WINDOW:
    raise errors.UserError(f'restart_every is {every}; it must be a multiple of {WINDOW}, or 0')
  if every and None not in (config.hold, config.grow) and every <= config.full_range_from:
    raise errors.UserError(
        f'restart_every is {every}, and lengths are full only from iteration '
        f'{config.full_range_from} on, hold and grow together: no model would be done by then; '
        'give more, or 0 to start no model anew')
  if every and config.unfreeze:
    raise errors.UserError(f'restart_every is {every}, and the encoder taken over is not frozen: '
                           'what it was is lost by then; use restart_every=0, or no unfreeze')


def check_memory(length: int, addresses: int, length_name='length', memory_name='memory'):
  """A sequence needs an address for each item and one for the marker before them."""
  if length + 1 > addresses:
    raise errors.UserError(
        f'{length_name} is {length}, more than {memory_name} of {addresses} addresses can hold '
        f'(an address an item and one for the marker); use {memory_name} of at least {length + 1}')
