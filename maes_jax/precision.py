"""What is computed in which precision.

A cell computes in the dtype of its parameters: its state and its inputs are taken in that dtype,
and so are the answers and the gradients. bfloat16 and float16 parameters therefore make a model of
that precision throughout, but for three sums of many addresses that go wrong in it: sharpening,
similarity by content and the DNC's allocation are worked out in float32 and rounded once. Linear
recurrences (LRU, mLSTM, Gated DeltaNet, Mamba-2) are not themselves in it: a factor near 1, by
which they forget, is rounded to 1 or above.
`jax_enable_x64` changes nothing of it: float32 parameters compute in float32.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp


class Exact(NamedTuple):
  """A whole number in a state, kept as a float of its own dtype: rounded it would be another."""
  number: chex.Array  # []


def as_params(tree: Any, params: Any) -> Any:
  """The tree as JAX's arrays, its floating-point leaves in the dtype of the parameters.

  But for what is `Exact`. A cell without any parameters computes in float32.
  """
  dtype = jnp.result_type(*(jax.tree.leaves(params) or [jnp.float32]))

  def cast(leaf):
    if isinstance(leaf, Exact):
      return leaf
    array = jnp.asarray(leaf)
    return array.astype(dtype) if jnp.issubdtype(array.dtype, jnp.floating) else array

  return jax.tree.map(cast, tree, is_leaf=lambda node: isinstance(node, Exact))


def given(params: Any, *trees: Any) -> tuple:
  """What a cell runs on: its parameters as JAX's arrays, and each tree `as_params` of them."""
  params = jax.tree.map(jnp.asarray, params)
  return params, *as_params(trees, params)


def at_least_single(array: chex.Array) -> chex.Array:
  """The array in float32 where it is in less."""
  array = jnp.asarray(array)
  with jax.numpy_dtype_promotion('standard'):  # Strictly there is no wider of two.
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))
