"""Random streams of one model: every draw follows from its seed, a stream and a counter.

No key is carried along, so a run can be taken up at any iteration and draws what it would have.
"""

import enum

import chex
import jax


class Stream(enum.IntEnum):
  """What the numbers are for; no two streams share any."""
  INIT = 0
  TRAIN = 1
  VALIDATE = 2
  TEST = 3
  LENGTH = 4


def key(seed: chex.Array, stream: Stream, counter: chex.Array = 0) -> chex.PRNGKey:
  """The key of a stream at a counter, e.g. the training iteration."""
  return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), stream), counter)
