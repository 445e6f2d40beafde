"""Optax's Adam on clipped gradients, its state laid out as runs keep it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import optax

from maes_jax.training import skipping


class State(NamedTuple):
  """What Adam keeps of the gradients it has seen."""
  count: chex.Array  # [] updates made
  mu: Any  # mean of the gradients, a tree like them
  nu: Any  # mean of their squares
  skipped_in_a_row: chex.Array  # [] gradients stepped over since the last update
  skipped: chex.Array  # [] all of them


def make(
    learning_rate: Callable[[chex.Array], chex.Array], b2: float, clip: float,
) -> optax.GradientTransformation:
  """Adam that steps over gradients that are not finite.

  Args:
    learning_rate: of the number of updates made before.
    b2: the share that is left of the mean of squares after an update.
    clip: the largest size of an element of a gradient.

  Source: Kingma and Ba 2015, algorithm 1.
  """
  chain = skipping.wrap(
      optax.chain(optax.clip(clip), optax.adam(learning_rate, b2=b2)), bounded=True)

  def update(gradients, state, params=None, **unused_more):
    steps, after = chain.update(gradients, _of_chain(state), params)
    return steps, _flat(after)

  return optax.GradientTransformationExtraArgs(lambda params: _flat(chain.init(params)), update)


def _flat(state):
  _, (moments, _) = state.inner
  return State(*moments, state.skipped_in_a_row, state.skipped)


def _of_chain(state):
  moments = optax.ScaleByAdamState(state.count, state.mu, state.nu)
  inner = optax.EmptyState(), (moments, optax.ScaleByScheduleState(state.count))
  return skipping.Skipping(inner, state.skipped_in_a_row, state.skipped)
