"""How right a model is: per bit and per whole sequence, at any length and memory size."""

from collections.abc import Sequence
import dataclasses
import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from maes_jax import compilation
from maes_jax import devices
from maes_jax import encoder_solver
from maes_jax import randomness
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


def count(
    logits: chex.Array,  # [B, T, Y]
    targets: chex.Array,  # [B, T, Y]
    mask: chex.Array,  # [B, T]
) -> Counts:
  """Counts right answers; an answer is 1 where its logit is positive."""
  shapes.check(logits=(logits, 'BTY', float), targets=(targets, 'BTY', float),
               mask=(mask, 'BT', bool))
  counted = jnp.broadcast_to(mask[..., None], targets.shape)
  right = ((logits > 0) == (targets > 0.5)) & counted
  whole = jnp.all(right == counted, axis=(1, 2))
  return Counts(counted.sum(), right.sum(), jnp.array(whole.size), whole.sum())


@dataclasses.dataclass(frozen=True)
class Tester:
  """Tests models of one kind; one compiled program serves all lengths up to `max_length`.

  Attributes:
    model: the kind of model; parameters are an argument of each test.
    task: what is tested.
    max_length: what sequences are padded to.
    addresses: N, the memory size.
    batch_size: sequences per batch.
    devices: what a batch is spread over; all there are by default.
  """
  model: Model
  task: tasks.Task
  max_length: int
  addresses: int
  batch_size: int = 32
  devices: Sequence[jax.Device] = dataclasses.field(default_factory=devices.first)

  def test(self, params: Params, length: int, batches: int = 100, seed: int = 0) -> Counts:
    """Counts over `batches` batches of random sequences of `length` items (section 4.1).

    Goes through a window on the memory wherever that is exact, else through all of it.
    """
    params = devices.place(params, devices.everywhere(self._mesh))
    keys = [randomness.key(seed, randomness.Stream.TEST, batch) for batch in range(batches)]
    counted = [self._test_batch(params, length, key) for key in keys]
    return Counts(*(sum(int(part) for part in parts) for parts in zip(*counted)))

  def curve(self, params: Params, lengths: Sequence[int], seed: int = 0) -> dict[int, Counts]:
    """A batch at each length, by length."""
    return {length: self.test(params, length, batches=1, seed=seed) for length in lengths}

  def _test_batch(self, params, length, key):
    cells = (self.model.encoder, self.model.solvers[self.task.name])
    if all(windowed.serves(cell, self.addresses) for cell in cells):
      counts, exact = self._through_window(params, length, key)
      if exact:
        return jax.device_get(counts)
    return jax.device_get(self._through_all(params, length, key)[0])

  @functools.cached_property
  def _mesh(self):
    return devices.mesh(1, self.batch_size, self.devices)

  @functools.cached_property
  def _through_window(self):
    return compilation.jit(functools.partial(self._count, windowed.unroll))

  @functools.cached_property
  def _through_all(self):
    return compilation.jit(functools.partial(self._count, encoder_solver.unroll))

  def _count(self, unroll, params, length, key):
    keys = devices.spread_batch(self._mesh, jax.random.split(key, self.batch_size))
    lengths = jnp.full(self.batch_size, length)
    episodes = tasks.sample_batch(self.task, keys, lengths, self.max_length)
    logits = self.model.answer_batch(
        params, {self.task.name: episodes}, self.addresses, unroll)[self.task.name]
    exact = ~jnp.any(jnp.isnan(logits) & episodes.mask[..., None])  # Wherever an answer counts.
    return count(logits, episodes.targets, episodes.mask), exact


def interval(right: int, total: int) -> tuple[float, float]:
  """95 % confidence interval (Clopper-Pearson) of a share of `right` in `total`.

  >>> low, high = interval(90, 100)
  >>> print(f'{low:.3f} to {high:.3f}')
  0.824 to 0.951
  """
  from scipy import stats  # Here, as it is a third of every program's start.
  return tuple(stats.binomtest(right, total).proportion_ci(0.95))
