"""How long training sequences are: from short ones to the full range."""

import chex
import jax
import jax.numpy as jnp

from maes_jax.config import Config


def bounds(config: Config, iteration: chex.Array) -> tuple[chex.Array, chex.Array]:
  """Shortest and longest length at an iteration, both inclusive.

  Grows from sequences of a single item, by equal shares of `config.curriculum` iterations, and
  stays at the full range from then on.
  """
  share = jnp.minimum(iteration / max(config.curriculum, 1), 1) if config.curriculum else 1.
  longest = 1 + jnp.floor(share * (config.max_length - 1)).astype(int)
  return jnp.minimum(config.min_length, longest), longest


def draw(config: Config, key: chex.PRNGKey, iteration: chex.Array) -> chex.Array:
  """Batch of lengths [B], uniform between the bounds at this iteration."""
  shortest, longest = bounds(config, iteration)
  return jax.random.randint(key, (config.batch_size,), shortest, longest + 1)
