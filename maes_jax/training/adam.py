"""Adam that steps over gradients that are not finite."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

B1, EPSILON = 0.9, 1e-8


class State(NamedTuple):
  """What Adam keeps of the gradients it has seen."""
  count: chex.Array  # [] updates made
  mu: Any  # mean of the gradients, a tree like them
  nu: Any  # mean of their squares
  skipped_in_a_row: chex.Array  # [] gradients stepped over since the last update
  skipped: chex.Array  # [] all of them


def skipping(
    learning_rate: Callable[[chex.Array], chex.Array], b2: float, clip: float,
) -> optax.GradientTransformation:
  """Adam on clipped gradients; one that is not finite changes nothing and is counted.

  The same as `optax.apply_if_finite` round `optax.clip` and `optax.adam`, bit for bit. From outside
  of Adam, though, the old moments have to be kept beside the new ones until the step is made: two
  copies of all parameters at each, which takes as long as Adam itself where layers are large.

  Args:
    learning_rate: of the number of updates made before.
    b2: the share that is left of the mean of squares after an update.
    clip: the largest size of an element of a gradient.

  Source: Kingma and Ba 2015, algorithm 1.
  """

  def init(params):
    zero = jnp.zeros((), jnp.int32)
    return State(zero, optax.tree.zeros_like(params), optax.tree.zeros_like(params), zero, zero)

  # Optax mixes counts and rates, and would raise powers in double precision where that is on.
  @jax.numpy_dtype_promotion('standard')
  @jax.enable_x64(False)
  def update(gradients, state, params=None):
    del params
    finite, rate = all_finite(gradients), jnp.asarray(learning_rate(state.count), jnp.float32)
    gradients, _ = optax.clip(clip).update(gradients, optax.EmptyState())
    state = _take_in(gradients, finite, state, b2)
    # m^_t = m_t / (1 - b1^t);  v^_t = v_t / (1 - b2^t);  a step of -rate m^_t / (sqrt(v^_t) + eps)
    step = lambda m, v: jnp.where(finite, -rate * (m / (jnp.sqrt(v) + EPSILON)), 0)
    steps = jax.tree.map(step, optax.tree.bias_correction(state.mu, B1, state.count),
                         optax.tree.bias_correction(state.nu, b2, state.count))
    return steps, state

  return optax.GradientTransformation(init, update)


def _take_in(gradients, finite, state, b2):
  """The state after the gradients g_t; if they are not finite the same, but for the counters."""
  keep = lambda new, old: jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, old)
  # m_t = b1 m_{t-1} + (1 - b1) g_t;  v_t = b2 v_{t-1} + (1 - b2) g_t^2
  mu = optax.tree.update_moment(gradients, state.mu, B1, 1)
  nu = optax.tree.update_moment_per_elem_norm(gradients, state.nu, b2, 2)
  return State(
      count=keep(state.count + 1, state.count), mu=keep(mu, state.mu), nu=keep(nu, state.nu),
      skipped_in_a_row=keep(0, state.skipped_in_a_row + 1),
      skipped=keep(state.skipped, state.skipped + 1))


def all_finite(tree: Any) -> chex.Array:
  """[] whether all numbers of a tree are finite."""
  # 0 x is 0 if x is finite, else NaN. As a product with zeros it takes a small part of the time
  # that XLA:CPU needs to look at each number.
  zeros = [jnp.tensordot(jnp.zeros(len(leaf), leaf.dtype), leaf, axes=1)
           for leaf in map(jnp.atleast_1d, jax.tree.leaves(tree))]
  return jnp.isfinite(sum(zero.sum() for zero in zeros))
