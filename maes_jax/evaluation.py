"""How right a model is: per bit and per whole sequence, at any length and memory size."""

from collections.abc import Iterable, Sequence
import dataclasses
import functools
import itertools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import batching
from maes_jax import compilation
from maes_jax import devices
from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import items
from maes_jax import limits
from maes_jax import models
from maes_jax import phases
from maes_jax import precision
from maes_jax import room
from maes_jax import shapes
from maes_jax import tasks
from maes_jax import windowed
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params
from maes_jax.items import Items


# Bytes that sequences tested at a time, and their memory, take on an accelerator.
AT_ONCE = 2**31
# A window that was in vain so many times more than it was exact is not opened again in a test.
_GIVES_UP = 2


class Counts(NamedTuple):
  """What a test counts; whole numbers, so that batches add up exactly.

  Sequences in which nothing is asked are none.
  """
  units: chex.Array  # Bits, or what else the answers of a task consist of; see `items.Items.unit`.
  units_right: chex.Array
  items: chex.Array  # Answers; right where all their units are.
  items_right: chex.Array
  sequences: chex.Array
  sequences_right: chex.Array

  @property
  def bits(self) -> chex.Array:
    """The units, where they are bits."""
    return self.units

  @property
  def bits_right(self) -> chex.Array:
    return self.units_right

  def named(self, unit: str) -> dict[str, chex.Array]:
    """By what the units are, e.g. `bits` and `bits_right`."""
    return {name.replace('units', f'{unit}s'): value for name, value in self._asdict().items()}

  def total(self) -> 'Counts':
    """Adds up over the last axis, in 64 bits: a batch may have more bits than 32 count."""
    return Counts(*(np.asarray(part).sum(axis=-1, dtype=np.int64) for part in self))


def count(
    logits: chex.Array,  # [B, A, Y]
    targets: chex.Array,  # [B, A, Y]
    mask: chex.Array,  # [B, A]
    answers: Items,
) -> Counts:
  """Counts right answers by sequence, leaves [B]; `answers` says what is right."""
  shapes.check(logits=(logits, 'BAY', float), targets=(targets, 'BAY', float),
               mask=(mask, 'BA', bool))
  found = answers.right(precision.at_least_single(logits), targets)
  right = items.by_unit('what is right', found, mask.shape) & mask[..., None]
  counted = jnp.broadcast_to(mask[..., None], right.shape)
  whole = right.all(-1)
  units, units_right, answered, answered_right = (
      leaf.sum(axis=tuple(range(1, leaf.ndim)), dtype=jnp.int32)
      for leaf in (counted, right, mask, whole))
  asked = answered > 0
  return Counts(units, units_right, answered, answered_right, jnp.int32(asked),
                jnp.int32(asked & (answered == answered_right)))


@dataclasses.dataclass(frozen=True)
class Tester(devices.Picklable):
  """Tests models of one kind; one compiled program serves all lengths up to `max_length`.

  A tester is checked when it is made, so that nothing impossible is compiled.

  Attributes:
    model: the kind of model; parameters are an argument of each test.
    task: what is tested.
    max_length: what sequences are padded to.
    addresses: N, the memory size.
    batch_size: sequences per batch.
    devices: what a batch is spread over; all there are by default.

  Raises:
    UserError: no model, no devices, a number out of its bounds, a memory too small for the
      sequences or for the model, a task that the model has no solver for, or more than there is
      room for.
  """
  model: Model
  task: tasks.Task
  max_length: int
  addresses: int
  batch_size: int = 32
  devices: Sequence[jax.Device] = dataclasses.field(default_factory=devices.first)

  def __post_init__(self):
    errors.of_type('the model is', self.model, Model, 'a Model, e.g. that of maes_jax.load')
    if not len(self.devices):
      raise errors.UserError('devices are none; leave them out for all there are, or give some of '
                             'jax.devices()')
    limits.check(
        max_length=self.max_length, addresses=self.addresses, batch_size=self.batch_size)
    models.walk(self.model, [self.task], [(self.max_length, self.addresses)])
    room.check_test(
        self.model, self.task, self.max_length, self.addresses, self.batch_size, self.devices)

  def test(self, params: Params, length: int | None, batches: int = 100, seed: int = 0) -> Counts:
    """Counts over `batches` batches of random sequences of `length` items (section 4.1).

    Goes through a window on the memory wherever that is exact, else through all of it.

    Of a task from data these are the held-out examples of exactly `length` items or, where it is
    None, all of `max_length` items or fewer: each once, so that there may be fewer. Where there are
    more they are drawn.

    Raises:
      UserError: parameters of no such model, a length of less than 1 or more than `max_length`, one
        that no example of a task from data has, None for another task, a number out of its bounds,
        or sequences in which nothing is asked.
    """
    limits.check(batches=batches, seed=seed)
    models.check_params(params, self._shapes)
    self.task.check_tested(length, self.max_length)
    with devices.within(self._mesh):
      total = self._total(params, length, batches, seed)
    if not total.sequences:
      raise errors.UserError(f'task {self.task.name!r} asks nothing about sequences of {length:,} '
                             'items, so that nothing can be right; use another length')
    return total

  def _total(self, params, length, batches, seed):
    params = devices.place(params, devices.everywhere(self._mesh))
    total = Counts(*[0] * len(Counts._fields))
    trials = self.task.trials(length, self.max_length, self.batch_size, seed)
    lost = dict.fromkeys(self._through_windows, 0)
    for drawn in self._grouped(itertools.islice(trials, batches)):
      counts = self._test_batches(params, length or 0, drawn, lost)
      total = Counts(*(sum(map(int, parts)) for parts in zip(total, counts)))
    return total

  def _grouped(self, trials):
    """[G, B] what the sequences of the G batches are drawn from that are tested at a time."""
    while some := list(itertools.islice(trials, self._at_once)):
      yield jnp.stack(some)

  def curve(self, params: Params, lengths: Sequence[int], seed: int = 0) -> dict[int, Counts]:
    """A batch at each length, by length; see `test`."""
    lengths = list(errors.of_type('lengths are', lengths, Iterable, 'a list of whole numbers'))
    limits.check(seed=seed)
    for length in lengths:
      limits.check(length=length)
      self.task.check_tested(length, self.max_length)
    return {int(length): self.test(params, length, batches=1, seed=seed) for length in lengths}

  def _test_batches(self, params, length, drawn, lost):
    """Counts of the batches that are drawn from `drawn` [G, B].

    `lost`, by size of a window, is how many times more it was in vain than it was exact so far.
    """
    for size, test in self._through_windows.items():
      if lost[size] < _GIVES_UP:
        counts, exact = devices.fetch(test(params, length, _again(drawn)))
        if exact.all():
          lost[size] -= 1
          return counts.total()
        lost[size] += 1
    return devices.fetch(self._through_all(params, length, _again(drawn))).total()

  @functools.cached_property
  def _at_once(self) -> int:
    """How many batches are tested at a time: an accelerator takes hardly longer for many."""
    if self.devices[0].platform == 'cpu':
      return 1
    one = room.sequence(self.model, self.task, self.max_length, self.addresses)
    return max(1, AT_ONCE * len(self.devices) // (self.batch_size * one))

  @functools.cached_property
  def _shapes(self):
    return models.parameters(self.model)

  @functools.cached_property
  def _mesh(self):
    return devices.mesh(1, self.batch_size, self.devices)

  @functools.cached_property
  def _through_windows(self):
    """By size of a window that can follow any cell of the task, where it pays, the test."""
    program = tasks.dry_run(self.task, self.max_length).program
    if self.model.tied or not windowed.pays(program):
      return {}
    cells = [self.model.cell(name) for name in phases.cells(self.task.name, program)]
    return {size: self._through_window(size) for size in windowed.SIZES
            if any(windowed.serves(cell, self.addresses, size) for cell in cells)}

  def _through_window(self, size):
    def test(params, length, drawn):
      episodes = self._sample(length, drawn)
      logits, exact = windowed.answer_batch(
          self.model, params, self.task.name, episodes, self.addresses, size)
      return self._count(logits, episodes), exact
    return self._spread(test)

  @functools.cached_property
  def _through_all(self):
    def test(params, length, drawn):
      episodes = self._sample(length, drawn)
      logits = self.model.answer_batch(
          params, {self.task.name: episodes}, self.addresses, encoder_solver.skipping)
      return self._count(logits[self.task.name], episodes)
    return self._spread(test)

  def _count(self, logits, episodes):
    return count(logits, episodes.targets, episodes.mask, self.task.answers)

  def _sample(self, length, drawn):
    return batching.vmap(lambda one: self.task.trial(one, length, self.max_length))(drawn)

  def _spread(self, test):
    """Compiled (parameters, length, what is drawn from [G, B]) -> what `test` gives of [G B]."""
    of_all = devices.spread(test, self._mesh, (devices.WHOLE, devices.WHOLE, devices.OF_BATCH),
                            devices.OF_BATCH)
    return compilation.jit(lambda params, length, drawn: of_all(params, length, drawn.ravel()))


def _again(drawn):
  """The same; a key is for use once."""
  return jax.random.clone(drawn) if jnp.issubdtype(drawn.dtype, jax.dtypes.prng_key) else drawn


def interval(right: int, total: int) -> tuple[float, float]:
  """95 % confidence interval (Clopper-Pearson) of a share of `right` in `total` independent draws.

  Sequences of a test are; bits and items of one sequence go wrong together, and are none.

  >>> low, high = interval(90, 100)
  >>> print(f'{low:.3f} to {high:.3f}')
  0.824 to 0.951

  Raises:
    UserError: there are none, or more right ones than there are.
  """
  if not 0 <= right <= total or not total:
    raise errors.UserError(f'{right} of {total} is no share; give a total of at least 1, and as '
                           'many right ones at most')
  from scipy import stats  # Here, as it is a third of every program's start.
  return tuple(stats.binomtest(int(right), int(total)).proportion_ci(0.95))
