"""What every public entrance checks before any work: lengths, memory sizes, counts and seeds.

Numbers are checked where they are known; one that JAX traces is known only when the program runs.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import config
from maes_jax import errors

SEEDS = 2**32  # JAX makes a key of 32 bits: a larger seed would be one of these again.
# The smallest and the largest of what else has a bound of its own.
_OTHERS: Mapping[str, tuple[int, int]] = {
    'seed': (0, SEEDS - 1), 'test_seed': (0, SEEDS - 1), 'effort': (0, config.LARGEST)}
_AXES = {'length': 0, 'lengths': 1, 'seed': 0}  # Those that an array may have.
_LENGTHS = ('max_length', 'length', 'lengths')
_MEMORIES = ('memory', 'addresses')


def check(**numbers: Any):
  """Checks arguments by their names: `check(length=5, addresses=6, batches=1, seed=0)`.

  All are whole numbers of 1 to `config.LARGEST`, seeds of 0 to `SEEDS` - 1, an `effort` of 0 on. A
  `length` and a seed may be arrays without axes, as they are data to programs, and `lengths` is an
  array of them. Each is at most `max_length`, and a memory has an address for each item and the
  marker.

  Raises:
    UserError: names the argument, what it is and what it may be.
  """
  _check_traced(numbers)
  known = {name: value for name, value in numbers.items() if not isinstance(value, jax.core.Tracer)}
  for name, value in known.items():
    _check(name, value)
  longest = {name: int(np.asarray(known[name]).max()) for name in _LENGTHS if name in known}
  if 'max_length' in longest:
    _check_length(max(longest.values()), longest['max_length'])
  memory = next((name for name in _MEMORIES if name in known), None)
  if longest and memory:
    name, most = next(iter(longest.items()))
    config.check_memory(most, known[memory], name.removesuffix('s'), memory)


def _check_traced(numbers):
  """What JAX traces is known by its kind and its axes alone."""
  for name, value in numbers.items():
    if isinstance(value, jax.core.Tracer) and name in _AXES and not (
        jnp.issubdtype(value.dtype, jnp.integer) and value.ndim <= _AXES[name]):
      raise errors.UserError(f'{name} is {list(value.shape)} of {value.dtype}, traced; it must be '
                             f'{"whole numbers [B]" if _AXES[name] else "a whole number []"}')


def _check(name, value):
  smallest, largest = _OTHERS.get(name, (1, config.LARGEST))
  allowed = f'it must be a whole number of {smallest:,} to {largest:,}'
  whole, name = _whole(value, _AXES.get(name, -1)), 'length' if name == 'lengths' else name
  if whole is None:
    raise errors.UserError(f'{name} is {errors.shortened(value)}; {allowed}')
  outside = [number for number in whole if not smallest <= number <= largest]
  if outside:
    raise errors.UserError(f'{name} is {errors.shortened(outside[0])}; {allowed}')


def _whole(value, most) -> list[int] | None:
  """The smallest and the largest of whole numbers; None for what are none.

  Neither is an array of more than `most` axes; for a size, of which JAX takes no array, it is -1.
  """
  if is_whole(value):
    return [int(value)]  # Of any size, which NumPy could not hold.
  try:
    array = np.asarray(value)
  except (TypeError, ValueError):
    return None
  if array.dtype.kind not in 'iu' or not array.size or array.ndim > most:
    return None
  return [int(array.min()), int(array.max())]


def is_whole(value: Any) -> bool:
  """Whether it is one whole number, Python's or NumPy's, and no truth value."""
  return isinstance(value, int | np.integer) and not isinstance(value, bool)


def size(what: str, value: Any, smallest: int = 1) -> int:
  """A size that a task or a kind of item is made with.

  Raises:
    UserError: it is no whole number of `smallest` to `config.LARGEST`.
  """
  if not is_whole(value) or not smallest <= value <= config.LARGEST:
    raise errors.UserError(f'{what}: {errors.shortened(value)}; it must be a whole number of '
                           f'{smallest} to {config.LARGEST:,}')
  return int(value)


def _check_length(length, max_length):
  if length > max_length:
    raise errors.UserError(
        f'length is {length:,} and max_length {max_length:,}, which is what sequences are padded '
        f'to; use a length of 1 to {max_length:,} or a larger max_length')
