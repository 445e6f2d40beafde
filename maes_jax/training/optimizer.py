"""Adam with clipping, on the parameters that are not frozen, for gradients that are finite."""

from collections.abc import Collection
import functools

import chex
import jax
import optax

from maes_jax.config import Config
from maes_jax.encoder_solver import Params
from maes_jax.training import adam

HALVINGS = 5
TOO_MANY = 100  # Updates skipped in a row from which on a model counts as failed.


def make(config: Config, params: Params, frozen: Collection[str]) -> optax.GradientTransformation:
  """The optimizer of one model.

  Clipping stands inside the freezing transform: it never sees a frozen gradient, and the frozen
  parameters have no optimizer state. A gradient that is not finite is skipped: parameters and
  moments stay as they were, and the state counts it.

  Args:
    config: the training run.
    params: only their tree structure is used.
    frozen: top-level keys of `params` that stay as they are.
  """
  trained = adam.skipping(learning_rate(config), config.b2, config.clip)
  return optax.selective_transform(trained, freeze_mask=mask(params, frozen))


def skipped(state: optax.OptState) -> chex.Array:
  """How many updates were skipped so far; [] for one model, [K] for a population."""
  return optax.tree.get(state, 'skipped')


def failed(state: optax.OptState) -> chex.Array:
  """Whether so many updates in a row were skipped that more will not help; [] or [K]."""
  return optax.tree.get(state, 'skipped_in_a_row') >= TOO_MANY


def learning_rate(config: Config) -> optax.Schedule:
  """Rises from 0 in `warmup` iterations; halves every `half_life` once lengths are full.

  It halves `HALVINGS` times at most, so that a model that learns late still moves.
  """
  rise = optax.linear_schedule(0, 1, config.warmup) if config.warmup else lambda count: 1.
  fall = optax.exponential_decay(
      config.learning_rate, config.half_life, 0.5, transition_begin=config.full_range_from,
      end_value=config.learning_rate / 2**HALVINGS)
  return lambda count: rise(count) * fall(count)


def mask(params: Params, prefixes: Collection[str]):
  """A tree like `params`, True below the top-level keys in `prefixes`."""
  return {key: jax.tree.map(functools.partial(_constant, key in prefixes), tree)
          for key, tree in params.items()}


def _constant(value, unused_leaf):
  return value


def stop_gradients(params: Params, frozen: Collection[str]) -> Params:
  """The same parameters; nothing is differentiated with respect to the frozen ones."""
  return {key: jax.lax.stop_gradient(tree) if key in frozen else tree
          for key, tree in params.items()}
