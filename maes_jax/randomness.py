"""Random streams of one model: every draw follows from its seed, a stream and a counter.

No key is carried along, so a run can be taken up at any iteration and draws what it would have.
"""

import enum

import chex
from flax import config as flax_config
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
  _check_settings()
  # Whatever generator is JAX's default: of another one a seed would be another model's.
  first = jax.random.key(seed, impl='threefry2x32')
  return jax.random.fold_in(jax.random.fold_in(first, stream), counter)


# Settings by which other numbers come of the same key, and what they are by default.
_SETTINGS = ((jax.config, 'jax_threefry_partitionable', True),
             (jax.config, 'jax_random_seed_offset', 0),
             (flax_config, 'flax_fix_rng_separator', False))


def _check_settings():
  for settings, name, default in _SETTINGS:
    found = getattr(settings, name)
    if found != default:
      raise errors.UserError(f'{name} is {found}, and other numbers are drawn from the same seed '
                             f'then; leave it {default}, as it is by default')
