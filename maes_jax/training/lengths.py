"""How long training sequences are: from short ones to the full range."""

import chex
import jax
import jax.numpy as jnp

from maes_jax import randomness
from maes_jax.config import Config


def bounds(config: Config, iteration: chex.Array) -> tuple[chex.Array, chex.Array]:
  """Shortest and longest length at an iteration, both inclusive.

  They are `start_min_length` and `start_length` for `hold` iterations, grow evenly to `min_length`
  and `max_length` in the next `grow`, and stay there.
  """
  shortest = _grown(config, iteration, config.start_min_length, config.min_length)
  return shortest, _grown(config, iteration, config.start_length, config.max_length)


def grown(config: Config, iteration: chex.Array) -> chex.Array:
  """How far lengths have grown: 0 through `hold`, 1 from the full range on."""
  past = jnp.asarray(age(config, iteration) - config.hold, jnp.float32)
  return jnp.clip(past / max(config.grow, 1), 0, 1)


def _grown(config, iteration, start, end):
  growing = jnp.floor(start + grown(config, iteration) * (end - start)).astype(jnp.int32)
  return jnp.where(full(config, iteration), end, growing)


def full(config: Config, iteration: chex.Array) -> chex.Array:
  """Whether lengths have reached the full range at an iteration."""
  return age(config, iteration) >= config.full_range_from


def age(config: Config, iteration: chex.Array) -> chex.Array:
  """How many iterations a model has had since it started, or started anew, before this one.

  A start has `restart_every` of them, the last one all that are left.
  """
  every = config.restart_every
  if not every:
    return iteration
  last = starts(every, config.max_iterations) - 1
  return iteration - every * jnp.minimum(iteration // every, last)


def starts_again(config: Config, iteration: chex.Array) -> chex.Array:
  """Whether there is a start left, one that begins with this iteration included."""
  every = config.restart_every
  last = every and every * (starts(every, config.max_iterations) - 1)  # 0: there is none but one.
  return (iteration > 0) & (iteration <= last)


def starts(every: int, iterations: int) -> int:
  """How many starts of so many iterations there is time for, one at least."""
  return max(iterations // every, 1)


def draw(config: Config, iteration: chex.Array) -> chex.Array:
  """Batch of lengths [B], uniform between the bounds at this iteration.

  It is the same for every model: beyond the longest of the batch, all of them may rest.
  """
  shortest, longest = bounds(config, iteration)
  key = randomness.key(0, randomness.Stream.LENGTH, iteration)
  return jax.random.randint(key, (config.batch_size,), shortest, longest + 1, jnp.int32)


def ring(config: Config, key: chex.PRNGKey, stored: chex.Array) -> chex.Array:
  """Of how many addresses a sequence has a ring, as `config.ring` says, which is not 'whole'.

  Args:
    config: the training run.
    key: what it is drawn from.
    stored: [] items and markers of the sequence that need an address.
  """
  if config.ring == 'double':
    return jnp.minimum(2 * stored, config.memory)
  fewest = jnp.minimum(stored + 1, config.memory)
  return jax.random.randint(key, (), fewest, config.memory + 1, jnp.int32)
