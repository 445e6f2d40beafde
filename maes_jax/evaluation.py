"""How right a model is: per bit and per whole sequence, at any length and memory size."""

from collections.abc import Sequence
import dataclasses
import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import compilation
from maes_jax import devices
from maes_jax import encoder_solver
from maes_jax import limits
from maes_jax import models
from maes_jax import randomness
from maes_jax import room
from maes_jax import shapes
from maes_jax import tasks
from maes_jax import windowed
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params


class Counts(NamedTuple):
  """What a test counts; whole numbers, so that batches add up exactly."""
  bits: chex.Array
  bits_right: chex.Array
  sequences: chex.Array
  sequences_right: chex.Array

  def total(self) -> 'Counts':
    """Adds up over the last axis, in 64 bits: a batch may have more bits than 32 count."""
    return Counts(*(np.asarray(part).sum(axis=-1, dtype=np.int64) for part in self))


def count(
    logits: chex.Array,  # [B, T, Y]
    targets: chex.Array,  # [B, T, Y]
    mask: chex.Array,  # [B, T]
) -> Counts:
  """Counts right answers by sequence, leaves [B]; an answer is 1 where its logit is positive."""
  shapes.check(logits=(logits, 'BTY', float), targets=(targets, 'BTY', float),
               mask=(mask, 'BT', bool))
  counted = jnp.broadcast_to(mask[..., None], targets.shape)
  right = ((logits > 0) == (targets > 0.5)) & counted
  bits, bits_right = (jnp.sum(bits, axis=(1, 2), dtype=jnp.int32) for bits in (counted, right))
  return Counts(bits, bits_right, jnp.ones_like(bits), jnp.int32(bits == bits_right))


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
    UserError: a number out of its bounds, a memory too small for the sequences or for the model,
      a task that the model has no solver for, or more than there is room for.
  """
  model: Model
  task: tasks.Task
  max_length: int
  addresses: int
  batch_size: int = 32
  devices: Sequence[jax.Device] = dataclasses.field(default_factory=devices.first)

  def __post_init__(self):
    limits.check(
        max_length=self.max_length, addresses=self.addresses, batch_size=self.batch_size)
    models.walk(self.model, [self.task], self.max_length, self.addresses)
    room.check_test(
        self.model, self.task, self.max_length, self.addresses, self.batch_size, self.devices)

  def test(self, params: Params, length: int, batches: int = 100, seed: int = 0) -> Counts:
    """Counts over `batches` batches of random sequences of `length` items (section 4.1).

    Goes through a window on the memory wherever that is exact, else through all of it.

    Raises:
      UserError: a length of less than 1 or more than `max_length`, or a number out of its bounds.
    """
    limits.check(length=length, max_length=self.max_length, batches=batches, seed=seed)
    params = devices.place(params, devices.everywhere(self._mesh))
    total = Counts(0, 0, 0, 0)
    for batch in range(batches):
      counts = self._test_batch(params, length, randomness.key(seed, randomness.Stream.TEST, batch))
      total = Counts(*(sum(map(int, parts)) for parts in zip(total, counts)))
    return total

  def curve(self, params: Params, lengths: Sequence[int], seed: int = 0) -> dict[int, Counts]:
    """A batch at each length, by length; see `test`."""
    for length in lengths:
      limits.check(length=length, max_length=self.max_length, seed=seed)
    return {length: self.test(params, length, batches=1, seed=seed) for length in lengths}

  def _test_batch(self, params, length, key):
    cells = (self.model.encoder, self.model.solvers[self.task.name])
    if all(windowed.serves(cell, self.addresses) for cell in cells):
      counts, exact = jax.device_get(self._through_window(params, length, key))
      if exact.all():
        return counts.total()
    return jax.device_get(self._through_all(params, length, key)).total()

  @functools.cached_property
  def _mesh(self):
    return devices.mesh(1, self.batch_size, self.devices)

  @functools.cached_property
  def _through_window(self):
    def test(params, length, key):
      episodes = self._sample(length, key)
      logits, exact = windowed.answer_batch(
          self.model, params, self.task.name, episodes, self.addresses)
      return count(logits, episodes.targets, episodes.mask), exact
    return self._jit(test)

  @functools.cached_property
  def _through_all(self):
    def test(params, length, key):
      episodes = self._sample(length, key)
      logits = self.model.answer_batch(
          params, {self.task.name: episodes}, self.addresses,
          num_steps=encoder_solver.longest(episodes.length))
      return count(logits[self.task.name], episodes.targets, episodes.mask)
    return self._jit(test)

  def _sample(self, length, key):
    keys = devices.spread_batch(self._mesh, jax.random.split(key, self.batch_size))
    return tasks.sample_batch(
        self.task, keys, jnp.full(self.batch_size, length), self.max_length)

  def _jit(self, function):
    return compilation.jit(function, out_shardings=devices.everywhere(self._mesh))


def interval(right: int, total: int) -> tuple[float, float]:
  """95 % confidence interval (Clopper-Pearson) of a share of `right` in `total`.

  >>> low, high = interval(90, 100)
  >>> print(f'{low:.3f} to {high:.3f}')
  0.824 to 0.951
  """
  from scipy import stats  # Here, as it is a third of every program's start.
  return tuple(stats.binomtest(right, total).proportion_ci(0.95))
