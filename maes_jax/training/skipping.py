"""An optimizer that steps over gradients that are not finite, and counts them."""

from typing import Any, NamedTuple

import chex
import jax
from jax import lax
import jax.numpy as jnp
import optax


class Skipping(NamedTuple):
  """The state of an optimizer that steps over what is not finite."""
  inner: Any
  skipped_in_a_row: chex.Array  # [] gradients stepped over since the last update
  skipped: chex.Array  # [] all of them


def wrap(
    inner: optax.GradientTransformation, bounded: bool = False) -> optax.GradientTransformation:
  """The same; what is not finite, gradient or update, changes nothing, bit for bit, and is counted.

  Args:
    inner: what makes updates.
    bounded: it makes finite ones of every finite gradient, so that nobody needs to look.
  """
  inner = optax.with_extra_args_support(inner)

  # Optax mixes counts and rates, and would raise powers in double precision where that is on.
  @jax.numpy_dtype_promotion('standard')
  @jax.enable_x64(False)
  def init(params):
    zero = jnp.zeros((), jnp.int32)
    return Skipping(inner.init(params), zero, zero)

  @jax.numpy_dtype_promotion('standard')
  @jax.enable_x64(False)
  def update(gradients, state, params=None, **more):
    # To a parameter of -0 only -0 adds nothing.
    nothing = lambda: (jax.tree.map(lambda leaf: jnp.full_like(leaf, -0.), gradients), state.inner)
    finite = all_finite(gradients)
    made = lax.cond(finite, lambda: inner.update(gradients, state.inner, params, **more), nothing)
    if not bounded:
      finite &= all_finite(made[0])
      made = lax.cond(finite, lambda: made, nothing)
    updates, after = made
    return updates, Skipping(after, jnp.where(finite, 0, state.skipped_in_a_row + 1),
                             jnp.where(finite, state.skipped, state.skipped + 1))

  return optax.GradientTransformationExtraArgs(init, update)


def all_finite(tree: Any) -> chex.Array:
  """[] whether all numbers of a tree are finite."""
  # 0 x is 0 if x is finite, else NaN. As a product with zeros it takes a small part of the time
  # that XLA:CPU needs to look at each number. Who looks for NaN is not to find this one.
  with jax.debug_nans(False):
    zeros = [jnp.tensordot(jnp.zeros(len(leaf), leaf.dtype), leaf, axes=1)
             for leaf in map(jnp.atleast_1d, jax.tree.leaves(tree))]
    return jnp.isfinite(sum(zero.sum() for zero in zeros))
