"""What every public entrance checks before any work: lengths, memory sizes, counts and seeds.

Numbers are checked where they are known; one that JAX traces is known only when the program runs.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from maes_jax import config
from maes_jax import errors

SEEDS = 2**32  # JAX makes a key of 32 bits: a larger seed would be one of these again.
# The smallest and the largest of what else has a bound of its own.
_OTHERS: Mapping[str, tuple[int, int]] = {'seed': (0, SEEDS - 1), 'test_seed': (0, SEEDS - 1)}
_MEMORIES = ('memory', 'addresses')


def check(**numbers: Any):
  """Checks arguments by their names: `check(length=5, addresses=6, batches=1, seed=0)`.

  All are whole numbers of 1 to `config.LARGEST`, seeds of 0 to `SEEDS` - 1. A `length`, which may
  be an array, is at most `max_length`, and a memory has an address for each item and the marker.

  Raises:
    UserError: names the argument, what it is and what it may be.
  """
  known = {name: value for name, value in numbers.items() if not isinstance(value, jax.core.Tracer)}
  for name, value in known.items():
    _check(name, value)
  if known.keys() >= {'length', 'max_length'}:
    _check_length(int(np.asarray(known['length']).max()), known['max_length'])
  longest = next((name for name in ('max_length', 'length') if name in known), None)
  memory = next((name for name in _MEMORIES if name in known), None)
  if longest and memory:
    config.check_memory(int(np.asarray(known[longest]).max()), known[memory], longest, memory)


def _check(name, value):
  smallest, largest = _OTHERS.get(name, (1, config.LARGEST))
  allowed = f'it must be a whole number of {smallest:,} to {largest:,}'
  whole = _whole(value)
  if whole is None:
    raise errors.UserError(f'{name} is {errors.shortened(value)}; {allowed}')
  outside = [number for number in whole if not smallest <= number <= largest]
  if outside:
    raise errors.UserError(f'{name} is {errors.shortened(outside[0])}; {allowed}')


def _whole(value) -> list[int] | None:
  """The smallest and the largest of whole numbers; None for what are none."""
  if isinstance(value, int) and not isinstance(value, bool):
    return [value]  # Of any size, which NumPy could not hold.
  try:
    array = np.asarray(value)
  except (TypeError, ValueError):
    return None
  if array.dtype.kind not in 'iu' or not array.size:
    return None
  return [int(array.min()), int(array.max())]


def _check_length(length, max_length):
  if length > max_length:
    raise errors.UserError(
        f'length is {length:,} and max_length {max_length:,}, which is what sequences are padded '
        f'to; use a length of 1 to {max_length:,} or a larger max_length')
