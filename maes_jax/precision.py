"""What is computed in which precision.

A cell computes in the dtype of its parameters: its state and its inputs are taken in that dtype,
and so are the answers and the gradients. bfloat16 and float16 parameters therefore make a model of
that precision throughout, but for what goes wrong in it, which is in float32. Three sums of many
addresses are worked out so and rounded once: sharpening, similarity by content and the DNC's
allocation. What linear recurrences (LRU, mLSTM, Gated DeltaNet, Mamba-2) carry, and the factors
near 1 by which they forget, are `Wide` from step to step, as are whole numbers in a state. And
gradients of all steps and rounds are added up so, before they are rounded to the parameters' dtype
(`summed`).
`jax_enable_x64` changes nothing of it: float32 parameters compute in float32.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from maes_jax import errors


class Wide(NamedTuple):
  """What a state keeps in float32 at least, in double precision where the parameters are.

  Whole numbers, which half precision would round to others, and what is multiplied by a factor near
  1 at every step, which it would round to 1 or above.
  """
  numbers: Any  # a tree of arrays


def wide(state: Wide) -> Any:
  """Its numbers.

  Raises:
    UserError: they are in less than float32.
  """
  for leaf in jax.tree.leaves(state):
    if at_least_single(leaf).dtype != leaf.dtype:
      raise errors.UserError(f'a state is in {leaf.dtype} where it must be in float32 at least; '
                             'cast it by precision.as_params(state, params), or leave it as made')
  return state.numbers


def as_params(tree: Any, params: Any) -> Any:
  """The tree as JAX's arrays, its floating-point leaves in the dtype of the parameters.

  What is `Wide` is in float32 at least. A cell without any parameters computes in float32.

  Raises:
    UserError: what is `Wide` was in less, so that it is rounded already.
  """
  dtype = jnp.result_type(*(jax.tree.leaves(params) or [jnp.float32]))

  def cast(leaf, dtype):
    array = jnp.asarray(leaf)
    return array.astype(dtype) if jnp.issubdtype(array.dtype, jnp.floating) else array

  def cast_node(node):
    if not isinstance(node, Wide):
      return cast(node, dtype)
    return Wide(jax.tree.map(lambda leaf: cast(leaf, _single_or(dtype)), wide(node)))

  return jax.tree.map(cast_node, tree, is_leaf=lambda node: isinstance(node, Wide))


def given(params: Any, *trees: Any) -> tuple:
  """What a cell runs on: its parameters as JAX's arrays, and each tree `as_params` of them."""
  params = jax.tree.map(jnp.asarray, params)
  return params, *as_params(trees, params)


def summed(params: Any) -> tuple[Any, Callable[[Any], Any]]:
  """The parameters in float32 at least, and what rounds them to their own dtypes again.

  Between the two a loop adds up their gradients.
  """
  params = jax.tree.map(jnp.asarray, params)
  dtypes = jax.tree.map(lambda leaf: leaf.dtype, params)
  floats = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.floating)
  return (jax.tree.map(lambda leaf: at_least_single(leaf) if floats(leaf) else leaf, params),
          lambda wide: jax.tree.map(lambda leaf, dtype: leaf.astype(dtype), wide, dtypes))


def at_least_single(array: chex.Array) -> chex.Array:
  """The array in float32 where it is in less."""
  array = jnp.asarray(array)
  return array.astype(_single_or(array.dtype))


def _single_or(dtype):
  """The dtype, or float32 where that is wider."""
  with jax.numpy_dtype_promotion('standard'):  # Strictly there is no wider of two.
    return jnp.promote_types(dtype, jnp.float32)
