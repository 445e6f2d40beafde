"""What a task is, and the one generator for all of them: items in, one episode out."""

from collections.abc import Callable, Iterator
import dataclasses
import functools
import itertools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import batching
from maes_jax import errors
from maes_jax import limits
from maes_jax import phases
from maes_jax import randomness
from maes_jax import shapes
from maes_jax.items import Bits
from maes_jax.items import Items
from maes_jax.phases import Episode
from maes_jax.phases import Phase
from maes_jax.phases import Program
from maes_jax.phases import within
from maes_jax.tasks import checks

_WORDS = Bits(8)
STORE, RECALL = 0, 1  # The control bits of the paper's tasks (section 4.1).
# Of a task from data, which examples to draw from. What is made from random numbers has no parts.
TRAINING, HELD_OUT = 'training', 'held_out'


def plainly(function):
  """The function with JAX's numbers as they are by default, whatever a user has set.

  The same key is then the same episode everywhere, and who writes a task need not think of it.
  """
  as_by_default = (jax.numpy_dtype_promotion('standard'), jax.enable_x64(False),
                   jax.threefry_partitionable(True))
  for setting in as_by_default:
    function = setting(function)
  return function


@functools.partial(jax.tree_util.register_dataclass, data_fields=['aux', 'targets', 'mask'],
                   meta_fields=['start'])
@dataclasses.dataclass(frozen=True)
class Question:
  """What a task asks about the items x_1 ... x_n, padded to L items: a program of two phases.

  An encoder reads a marker and the items, then a solver another marker and the auxiliary items.
  """
  aux: chex.Array  # [L, D] data of the auxiliary sequence, zeros where the task has none
  targets: chex.Array  # [L, Y]
  mask: chex.Array  # [L] True where an answer counts; there are as many as items, not L
  start: str = phases.RESTART  # Where the solver starts, one of `phases.STARTS`.


# (key, items [L, D], length []) -> Question, or a program. Items beyond `length` are zero.
Ask = Callable[[chex.PRNGKey, chex.Array, chex.Array], Question | Program]


@dataclasses.dataclass(frozen=True)
class Task:
  """A working-memory task.

  Attributes:
    name: by which it is known.
    outputs: Y, numbers of an answer.
    ask: what it asks about the items that it is given.
    items: what is stored.
    answers: what an answer is; by default words of Y bits.
    control_bits: how many bits stand before an item, that tell markers apart.
    reuses_memory: what it stores may be written over, so that it needs no address for every item.
    sequences: how many sequences an episode keeps apart. Each has control bits of its own, one
      after the other; cells that take turns are told by being on duty, and read the bits of all as
      those of one, so that an encoder serves tasks of any number.
    at_least: the fewest items that can be asked about.
    stores: the addresses that n items need, a whole number; n may be traced, so that it takes
      `jnp.minimum(n, 10)`, not `min(n, 10)`. None: as many as the encoder has steps.

  Raises:
    UserError: the name is no text, has a slash or means a cell, the outputs are no whole number of
      at least 1 or not those of the answers, the question is no function, or items or answers are
      no kind of item.
  """
  name: str
  outputs: int
  ask: Ask
  items: Items = _WORDS
  answers: Items = None  # type: ignore[assignment]  # Never None once it is made.
  control_bits: int = 2
  reuses_memory: bool = False
  sequences: int = 1
  at_least: int = 1
  stores: Callable[[chex.Numeric], chex.Numeric] | None = None

  def __post_init__(self):
    if not isinstance(self.name, str) or not self.name or phases.OWN in self.name:
      raise errors.UserError(f'the name of a task is {errors.shortened(self.name)}; it must be '
                             'text without a slash, which parts a task from its cells')
    if self.name in (phases.ENCODER, phases.SOLVER):
      raise errors.UserError(f'{self.name!r} is no name of a task: in a program it means the '
                             f"{self.name} of any; use another, e.g. 'my_{self.name}'")
    if not callable(self.ask):
      raise errors.UserError(f'task {self.name!r} asks {errors.shortened(self.ask)}; give a '
                             'function (key, items [L, D], length) -> Question')
    limits.check(**{f'outputs of task {self.name!r}': self.outputs,
                    f'control_bits of task {self.name!r}': self.control_bits,
                    f'sequences of task {self.name!r}': self.sequences,
                    f'at_least of task {self.name!r}': self.at_least})
    checks.kind(self.name, 'items', self.items)
    if self.answers is None:
      object.__setattr__(self, 'answers', Bits(self.outputs))
    checks.kind(self.name, 'answers', self.answers)
    if self.answers.outputs != self.outputs:
      raise errors.UserError(f'task {self.name!r} has outputs={self.outputs} and answers of '
                             f'{self.answers.outputs} numbers; give the same number')
    for part in ('ask', 'items', 'answers', 'stores'):
      checks.hashable(self.name, part, getattr(self, part))

  @property
  def all_control_bits(self) -> int:
    """How many stand before an item, those of all its sequences."""
    return self.sequences * self.control_bits

  @property
  def inputs(self) -> int:
    """X, numbers of an item with its control bits, as a task makes it."""
    return self.all_control_bits + self.items.width

  @property
  def shortest(self) -> int:
    """The fewest items that an episode can have."""
    return self.at_least

  def needs(self, length: Any) -> Any:
    """The addresses that n items need, without their marker: a number, traced where n is.

    Raises:
      UserError: `stores` fails or gives no whole number.
    """
    if self.stores is None:
      return length
    if isinstance(length, jax.core.Tracer):
      return checks.stored(self, length)
    with jax.ensure_compile_time_eval():  # Known, whatever JAX traces round it.
      return int(checks.stored(self, length))

  def check_length(self, length: chex.Array):
    """Checks lengths, as far as they are known.

    Raises:
      UserError: one is of too few items to be asked about.
    """
    if isinstance(length, jax.core.Tracer):
      return
    shortest = np.asarray(length).min()  # Of NumPy's own: while JAX traces, its would be unknown.
    if shortest < self.at_least:
      raise errors.UserError(f'length is {shortest:,} and task {self.name!r} needs '
                             f'{self.at_least:,} items or more; use a length of at least '
                             f'{self.at_least:,}')

  def check_tested(self, length: int | None, max_length: int):
    """Whether there are sequences of so many items, padded to `max_length`, to test on.

    Raises:
      UserError: there are none, or no length where one is needed.
    """
    limits.check(length=length, max_length=max_length)
    self.check_length(length)

  def trials(self, length: int | None, max_length: int, batch_size: int, seed: int,
             ) -> Iterator[chex.Array]:
    """What the sequences of a test are drawn from by `trial`, batch by batch [B]: keys, no end."""
    del length, max_length
    for batch in itertools.count():
      yield jax.random.split(randomness.key(seed, randomness.Stream.TEST, batch), batch_size)

  def trial(self, drawn: chex.Array, length: chex.Array, max_length: int) -> Episode:
    """The episode of one of `trials`, padded to `max_length`."""
    return sample(self, drawn, length, max_length)

  def longest(self, split: str) -> int | None:
    """The most items that an example has, of `TRAINING` or `HELD_OUT`; None: as many as wanted."""
    del split
    return None

  def draw(self, key: chex.PRNGKey, length: chex.Array, max_length: int, split: str) -> Episode:
    """One episode; see `sample`."""
    del split
    items_key, ask_key = jax.random.split(key)
    drawn = self.items.draw(items_key, max_length)
    checks.drawn(self, drawn, max_length)
    items = jnp.where(within(length, max_length)[:, None], drawn, 0)
    asked = self.ask(ask_key, items, length)
    if isinstance(asked, Question):
      checks.question(self, asked, max_length)
      asked = self.pose(items, length, asked, length, shared=True)
    checks.program(self, asked, max_length)
    return Episode(phases.counting(jax.tree.map(jnp.asarray, asked)), length)

  @functools.cached_property
  @plainly
  def _examples(self) -> Question | None:
    """16 questions about the same random items; None: it asks by a program of its own."""
    def ask(key):
      items = self.items.draw(jax.random.key(0), max(64, self.at_least))
      asked = self.ask(key, items, jnp.int32(len(items)))
      return asked if isinstance(asked, Question) else None
    with jax.ensure_compile_time_eval():  # Known, whatever JAX traces round it.
      return jax.device_get(jax.jit(jax.vmap(ask))(jax.random.split(jax.random.key(1), 16)))

  @property
  def shows(self) -> bool:
    """Whether the solver is shown an auxiliary sequence, not empty items."""
    return self._examples is not None and bool(np.any(self._examples.aux != 0))

  @property
  def draws_which(self) -> bool:
    """Whether chance says which answers count, so that the items alone do not."""
    asked = self._examples
    return asked is not None and bool(np.any(asked.mask != asked.mask[:1]))

  def steps(self, length: int) -> int | None:
    """How many steps a solver has after its marker, of n items; None: as many as it is shown."""
    return length

  @plainly
  def about(self, items: chex.Array, length: chex.Array, aux: chex.Array,
            slots: chex.Array) -> tuple[Phase, Phase]:
    """The program that asks about given items [L, D], showing the solver aux [M, D].

    Raises:
      UserError: the task asks by a program of its own, or draws which of its answers count.
    """
    asked = self.ask(jax.random.key(0), items, length)
    if not isinstance(asked, Question):
      raise errors.UserError(f'task {self.name!r} asks by a program of its own, which given items '
                             'cannot be put into; run one by Model.answer')
    checks.question(self, asked, len(items))
    if self.draws_which:
      raise errors.UserError(f'task {self.name!r} draws at random which of its answers count, '
                             'which given items cannot say; run an episode of it by Model.answer')
    return self.pose(items, length, dataclasses.replace(asked, aux=aux), slots)

  def pose(self, items: chex.Array, length: chex.Array, question: Question, slots: chex.Array,
           shared: bool = False) -> tuple[Phase, Phase]:
    """A marker and the items, then a marker and the question; `slots` of its steps count."""
    return two_phases(items, length, question, slots, self.all_control_bits, shared=shared)


def checked(task: Any) -> Task:
  """The task itself.

  Raises:
    UserError: it is something else, e.g. the name of one.
  """
  return errors.of_type('the task is', task, Task,
                        "a maes_jax.tasks.Task, e.g. maes_jax.tasks.get('serial_recall')")


def two_phases(
    items: chex.Array,  # [L, D]
    length: chex.Array,  # []
    question: Question,
    slots: chex.Array,  # []
    control_bits: int = 2,
    shared: bool = False,
) -> tuple[Phase, Phase]:
  """The program of a question: the encoder reads `length` items, the solver has `slots` steps."""
  valid = within(slots, len(question.aux))
  aux = jnp.where(valid[:, None], question.aux, 0)
  return (
      Phase(marked(items, STORE, control_bits), 1 + length, shared=shared),
      Phase(marked(aux, RECALL, control_bits), 1 + slots,
            targets=_single(jnp.pad(question.targets, ((1, 0), (0, 0)))),
            mask=jnp.pad(question.mask & valid, (1, 0)), cell=phases.SOLVER,
            start=question.start))


def marking_end(
    program: tuple[Phase, Phase],  # leaves [...]
    steps: int,
    cell: str = '/end',
) -> tuple[Phase, Phase, Phase]:
  """The program of a question, with a cell `/end` in between that has so many steps.

  It begins where the encoder ended and may go back and mark the last items, so that a solver that
  comes upon them knows that nothing follows. It reads the solver's marker, once more, and then
  empty items.
  """
  store, answer = program
  marker = answer.inputs[..., :1, :]
  inputs = jnp.pad(marker, [*[(0, 0)] * (marker.ndim - 2), (0, steps - 1), (0, 0)])
  return store, Phase(inputs, jnp.where(answer.steps > 0, jnp.int32(steps), 0), cell=cell,
                      start=phases.HANDOVER, again=True), answer


def finding_middle(
    program: tuple[Phase, Phase],  # leaves [...]
    prefix: str = '/',
) -> tuple[Phase, Phase, Phase, Phase]:
  """The program of a question that begins in the middle, with cells `/end` and `/halfway`.

  The first may mark the last two items, see `marking_end`. The second begins at address 0, is shown
  the items once more and may walk at another pace than the encoder, half as fast or some steps
  behind; the solver begins where it is at the end.
  """
  store, end, answer = marking_end(program, 2, f'{prefix}end')
  walk = Phase(store.inputs, store.steps, cell=f'{prefix}halfway', start=phases.RESTART, again=True)
  return store, end, walk, dataclasses.replace(answer, start=phases.HANDOVER)


@plainly
def sample(task: Task, key: chex.PRNGKey, length: chex.Array, max_length: int,
           split: str = HELD_OUT) -> Episode:
  """Draws one episode of `length` items, padded to `max_length`.

  The same key gives the same main sequence whatever the task, so that several solvers can be
  asked about one encoding. `length` may be traced: one compiled program serves every length. It
  can then not be checked; beyond `max_length` its targets mean nothing.

  A task from data draws one of its examples of `length` items or fewer.

  Args:
    task: whose episode.
    key: what it is drawn from.
    length: n.
    max_length: what it is padded to.
    split: of a task from data, which of its examples to draw from: `TRAINING` or `HELD_OUT`.

  Raises:
    UserError: no task, a known length of less than 1 or more than `max_length`, an unknown split,
      or a question of other shapes than `Question` or `Phase` says.
  """
  checked(task)
  errors.pick('split', split, dict.fromkeys((TRAINING, HELD_OUT)))
  limits.check(length=length, max_length=max_length)
  task.check_length(length)
  task.check_length(max_length)
  return task.draw(key, jnp.asarray(length, jnp.int32), max_length, split)


def with_marker(task: Task, items: chex.Array, bit: int) -> chex.Array:
  """[L, D] -> [L + 1, X]: a marker with no data in front, control bits everywhere.

  Raises:
    UserError: the task has no such control bit.
  """
  return marked(items, bit, task.all_control_bits)


def marked(items: chex.Array, bit: int, control_bits: int) -> chex.Array:
  """`with_marker` of a task of so many control bits: [..., L, D] -> [..., L + 1, X]."""
  if not isinstance(bit, jax.core.Tracer) and not 0 <= bit < control_bits:
    raise errors.UserError(f'a marker is control bit {bit} and there are {control_bits}; use 0 to '
                           f'{control_bits - 1}, or a task of more control_bits')
  outer = [(0, 0)] * (items.ndim - 2)
  marker_first = jnp.pad(_single(items), (*outer, (1, 0), (control_bits, 0)))
  return marker_first.at[..., 0, bit].set(1)


def bare(items: chex.Array, control_bits: int) -> chex.Array:
  """Items [..., D] with control bits, all 0: [..., X]."""
  return jnp.pad(_single(items), [(0, 0)] * (items.ndim - 1) + [(control_bits, 0)])


def sample_batch(
    task: Task,
    keys: chex.PRNGKey,  # [B]
    lengths: chex.Array,  # [B]
    max_length: int,
    split: str = HELD_OUT,
) -> Episode:
  """A batch of episodes of any mix of lengths; every leaf has a leading axis B. See `sample`."""
  checked(task)
  shapes.check(lengths=(lengths, 'B', int))
  limits.check(lengths=lengths, max_length=max_length)
  task.check_length(lengths)
  if np.shape(keys)[:1] != np.shape(lengths):
    raise errors.UserError(f'keys are {list(np.shape(keys))} and lengths '
                           f'{list(np.shape(lengths))}; give one of each for every episode')
  draw = lambda key, length: sample(task, key, length, max_length, split)
  return batching.vmap(draw)(keys, lengths)


def dry_run(task: Task, max_length: int) -> Episode:
  """The shapes of an episode padded to `max_length` items; its function is traced, not computed.

  Raises:
    UserError: its function fails or asks a question of other shapes than `Question` says, or
      `stores` fails.
  """
  checks.units(checked(task).name, task.answers)  # type: ignore[arg-type]  # It has a hash.
  draw = lambda seed, length: sample(task, jax.random.key(seed), length, max_length)
  number = jax.ShapeDtypeStruct((), jnp.int32)
  jax.eval_shape(task.needs, number)
  try:
    with shapes.quietly():
      return jax.eval_shape(draw, number, number)
  except errors.UserError:
    raise
  except Exception as error:
    raise errors.UserError(
        f'task {task.name!r} fails with sequences padded to {max_length:,} items '
        f'({checks.reason(error)}); its function takes (key, items [L, D], length []), traced, and '
        'returns a Question or phases') from error


def _single(array):
  return array.astype(jnp.float32)
