"""How long training sequences are: from short ones to the full range."""

import chex
import jax
import jax.numpy as jnp

from maes_jax.config import Config


def bounds(config: Config, iteration: chex.Array) -> tuple[chex.Array, chex.Array]:
  """Shortest and longest length at an iteration, both inclusive.

  The longest is `start_length` for `hold` iterations, grows evenly to `max_length` in the next
  `grow`, and stays there.
  """
  share = jnp.clip((iteration - config.hold) / max(config.grow, 1), 0, 1)
  growing = config.start_length + share * (config.max_length - config.start_length)
  longest = jnp.where(
      iteration < config.full_range_from, jnp.floor(growing).astype(int), config.max_length)
  return jnp.minimum(config.min_length, longest), longest


def draw(config: Config, key: chex.PRNGKey, iteration: chex.Array) -> chex.Array:
  """Batch of lengths [B], uniform between the bounds at this iteration."""
  shortest, longest = bounds(config, iteration)
  return jax.random.randint(key, (config.batch_size,), shortest, longest + 1)
