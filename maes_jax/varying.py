"""What differs from device to device inside `shard_map`, where JAX wants it said."""

from typing import Any

import jax
from jax import lax
import jax.numpy as jnp


def like(tree: Any, others: Any) -> Any:
  """The tree as it is; in `shard_map`, marked as varying over the axes that any of `others` does.

  A loop must carry what varies from its start on.
  """
  axes = frozenset().union(*(_axes(leaf) for leaf in jax.tree.leaves((tree, others))))

  def mark(leaf):
    missing = tuple(axes - _axes(leaf))
    return lax.pcast(leaf, missing, to='varying') if missing else leaf

  return jax.tree.map(mark, tree)


def _axes(leaf) -> frozenset[str]:
  aval = jax.typeof(leaf)
  return aval.mat.varying if hasattr(aval, 'mat') else aval.vma  # The latter before JAX 0.10.


def zeros(shapes: Any, others: Any) -> Any:
  """Zeros in these shapes and dtypes, that vary as any of `others` does."""
  tree = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
  return like(tree, others)
