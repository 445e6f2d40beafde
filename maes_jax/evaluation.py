"""How right a model is: per bit and per whole sequence, at any length and memory size."""

import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from scipy import stats

from maes_jax import compilation
from maes_jax import encoder_solver
from maes_jax import randomness
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
  counted = jnp.broadcast_to(mask[..., None], targets.shape)
  right = ((logits > 0) == (targets > 0.5)) & counted
  whole = jnp.all(right == counted, axis=(1, 2))
  return Counts(counted.sum(), right.sum(), jnp.array(whole.size), whole.sum())


def test(
    model: Model,
    params: Params,
    task: tasks.Task,
    *,
    length: int,
    addresses: int,
    batch_size: int = 32,
    batches: int = 100,
    seed: int = 0,
) -> Counts:
  """Tests on `batches * batch_size` random sequences of `length` items (paper, section 4.1)."""
  keys = [randomness.key(seed, randomness.Stream.TEST, batch) for batch in range(batches)]
  totals = _tester(model, task, length, addresses, batch_size)(params, keys)
  return Counts(*(sum(int(part) for part in parts) for parts in zip(*totals)))


def _tester(model, task, length, addresses, batch_size):
  """(params, keys) -> a list of counts; through windows on the memory wherever that is exact."""
  @functools.partial(compilation.jit, static_argnums=2)
  def run(params, key, unroll):
    keys = jax.random.split(key, batch_size)
    episodes = tasks.sample_batch(task, keys, jnp.full(batch_size, length), length)
    logits = model.answer_batch(params, {task.name: episodes}, addresses, unroll)[task.name]
    exact = ~jnp.isnan(logits).any()
    return count(logits, episodes.targets, episodes.mask), exact

  def run_exactly(params, key):
    cells = (model.encoder, model.solvers[task.name])
    if all(windowed.serves(cell, addresses) for cell in cells):
      counts, exact = run(params, key, windowed.unroll)
      if exact:
        return jax.device_get(counts)
    return jax.device_get(run(params, key, encoder_solver.unroll)[0])

  return lambda params, keys: [run_exactly(params, key) for key in keys]


def interval(right: int, total: int) -> tuple[float, float]:
  """95 % confidence interval (Clopper-Pearson) of a share of `right` in `total`."""
  return tuple(stats.binomtest(right, total).proportion_ci(0.95))
