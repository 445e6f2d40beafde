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


def wrap(inner: optax.GradientTransformation) -> optax.GradientTransformation:
  """The same; a gradient that is not finite changes nothing, bit for bit, and is counted.

  To a parameter of -0 only -0 adds nothing.
  """

  # Optax mixes counts and rates, and would raise powers in double precision where that is on.
  @jax.numpy_dtype_promotion('standard')
  @jax.enable_x64(False)
  def init(params):
    zero = jnp.zeros((), jnp.int32)
    return Skipping(inner.init(params), zero, zero)

  @jax.numpy_dtype_promotion('standard')
  @jax.enable_x64(False)
  def update(gradients, state, params=None):
    finite = all_finite(gradients)
    updates, after = lax.cond(
        finite, lambda: inner.update(gradients, state.inner, params),
        lambda: (jax.tree.map(lambda leaf: jnp.full_like(leaf, -0.), gradients), state.inner))
    return updates, Skipping(after, jnp.where(finite, 0, state.skipped_in_a_row + 1),
                             jnp.where(finite, state.skipped, state.skipped + 1))

  return optax.GradientTransformation(init, update)


def all_finite(tree: Any) -> chex.Array:
  """[] whether all numbers of a tree are finite."""
  # 0 x is 0 if x is finite, else NaN. As a product with zeros it takes a small part of the time
  # that XLA:CPU needs to look at each number.
  zeros = [jnp.tensordot(jnp.zeros(len(leaf), leaf.dtype), leaf, axes=1)
           for leaf in map(jnp.atleast_1d, jax.tree.leaves(tree))]
  return jnp.isfinite(sum(zero.sum() for zero in zeros))
