"""Random streams of one model: every draw follows from its seed, a stream and a counter.

No key is carried along, so a run can be taken up at any iteration and draws what it would have.
"""

import enum

import chex
import jax

from maes_jax import errors
from maes_jax import limits


class Stream(enum.IntEnum):
  """What the numbers are for; no two streams share any."""
  INIT = 0
  TRAIN = 1
  VALIDATE = 2
  TEST = 3
  LENGTH = 4
  NOISE = 5
  RING = 6
  HARD = 7


def key(seed: chex.Array, stream: Stream, counter: chex.Array = 0) -> chex.PRNGKey:
  """The key of a stream at a counter, e.g. the training iteration.

  Raises:
    UserError: a seed beyond the 32 bits of a key, which would be another's again; JAX is set to
      draw other numbers from a key.
  """
  limits.check(seed=seed)
  if not jax.config.jax_threefry_partitionable:
    raise errors.UserError('jax_threefry_partitionable is False, and from the same seed JAX draws '
                           'other numbers then; leave it True, as it is by default')
  # Whatever generator is JAX's default: of another one a seed would be another model's.
  first = jax.random.key(seed, impl='threefry2x32')
  return jax.random.fold_in(jax.random.fold_in(first, stream), counter)
