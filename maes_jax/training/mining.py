"""Hard sequences: half of a batch are those, of many more, that the model does worst.

Online hard example mining (Shrivastava et al. 2016, arXiv:1604.03540). A mean loss of 1e-5 does not
see one wrong pair of words among 65,536; the largest loss of hundreds of sequences finds it.
"""

from collections.abc import Callable, Mapping

import chex
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import tasks
from maes_jax import varying

Episodes = Mapping[str, tasks.Episode]  # By task, leaves [B, ...].


def mixed(
    batch: Episodes,
    draw: Callable[[chex.PRNGKey], Episodes],
    worst: Callable[[Episodes], chex.Array],
    keys: chex.PRNGKey,  # [M]
) -> Episodes:
  """Half of a batch, and the hardest sequences of M more in place of its other half.

  Args:
    batch: B sequences.
    draw: B others of a key.
    worst: how hard each of a batch is [B].
    keys: of the M batches.
  """
  size = len(jax.tree.leaves(batch)[0])
  rest = jax.tree.map(lambda leaf: leaf[size - size // 2:], batch)

  def keep(hardest, key):
    drawn = draw(key)
    pool = jax.tree.map(lambda *parts: jnp.concatenate(parts), hardest, (worst(drawn), drawn))
    _, top = lax.top_k(pool[0], size // 2)
    return jax.tree.map(lambda leaf: leaf[top], pool), None

  nothing = varying.like(jnp.full(size // 2, -jnp.inf, jnp.float32), rest)
  (_, hard), _ = lax.scan(keep, (nothing, rest), keys)
  return jax.tree.map(lambda some, more: jnp.concatenate([some[:size - size // 2], more]),
                      batch, hard)
