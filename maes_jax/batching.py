"""`vmap` that costs nothing where there is only one to map over."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def vmap(function: Callable) -> Callable:
  """`jax.vmap` over the leading axis of all arguments; an axis of size 1 is taken off instead.

  Every `vmap` round nested loops makes tracing and compiling them take longer, whatever its size.
  """

  def of_all(*args):
    if any(len(leaf) != 1 for leaf in jax.tree.leaves(args)):
      return jax.vmap(function)(*args)
    result = function(*jax.tree.map(lambda leaf: leaf.reshape(leaf.shape[1:]), args))
    return jax.tree.map(lambda leaf: jnp.expand_dims(leaf, 0), result)

  return of_all
