"""Arrays that users give as items or answers: checked once, in NumPy."""

import copy
from typing import Any

import chex
import jax.numpy as jnp
import numpy as np

from maes_jax import errors
from maes_jax.items import Bits
from maes_jax.items import Items


def are_numbered(kind: Items | None) -> bool:
  """Whether items of the kind are whole numbers to a user, e.g. tokens."""
  return hasattr(kind, 'one_hot')


def array(given: Any, said: str) -> np.ndarray:
  """What was given as an array of numbers.

  Raises:
    UserError: it is none, or NumPy's mask hides some of it; `said` is what it is called.
  """
  if is_masked(given):
    raise errors.UserError(f'{said} has numbers that a mask hides, which would be read as if there '
                           'were none; fill them, or say by lengths where the padding begins')
  try:
    found = np.asarray(given)
  except (TypeError, ValueError):  # Lists of mixed lengths.
    found = np.array(None)
  if jnp.issubdtype(found.dtype, jnp.floating):  # Of which NumPy itself does not know bfloat16.
    found = found.astype(np.promote_types(found.dtype, np.float32))
  if found.dtype.kind not in 'biuf':
    raise errors.UserError(f'{said} is {errors.shortened(given)}; it must be an array of numbers')
  return found


def copied(given: Any) -> Any:
  """What was given, as it is now: a generator may write its next array into the same memory.

  NumPy's masks stay.
  """
  try:
    return copy.deepcopy(given)
  except Exception:  # What has no copy of itself, e.g. a memoryview, may still be read.
    return array(given, 'an example').copy()


def is_masked(given: Any) -> bool:
  """Whether NumPy's mask hides numbers of it, or of one of its rows."""
  rows = given if isinstance(given, list | tuple) else [given]
  return any(map(np.ma.is_masked, rows))


def width(given: np.ndarray, said: str, one: bool = False) -> int:
  """Numbers of an item, of an array [n, D] of them or, of one, [D]."""
  wanted = '[D]' if one else '[n, D]'
  if given.ndim != (1 if one else 2) or not given.shape[-1]:
    raise errors.UserError(f'{said} has the shape {list(given.shape)}; it must be {wanted}')
  return given.shape[-1]


def of_kind(kind: Items, given: np.ndarray, said: str) -> np.ndarray:
  """Items of a kind as they are stored: [n, D] in float32, of tokens [n] whole numbers.

  Raises:
    UserError: another shape, none at all, or numbers that are not finite or not of the kind.
  """
  numbered = are_numbered(kind)
  wanted = '[n] of whole numbers' if numbered else f'[n, {kind.width}]'
  fits = given.ndim == 1 if numbered else given.shape[1:] == (kind.width,)
  if not fits or not len(given) or (numbered and given.dtype.kind not in 'iu'):
    raise errors.UserError(f'{said} is {list(given.shape)} of {given.dtype}; as {kind} it must be '
                           f'{wanted}, n at least 1')
  if numbered:
    return _numbers(kind, given, said)
  with np.errstate(over='ignore'):
    stored = given.astype(np.float32)
  _check(np.isfinite(stored), given, said, 'every number must be finite, in single precision')
  if given.dtype.kind in 'iu':
    with np.errstate(invalid='ignore'):
      _check(stored.astype(given.dtype) == given, given, said,
             'single precision holds whole numbers to 16,777,216 and few beyond; scale them')
  if isinstance(kind, Bits):
    _check((stored == 0) | (stored == 1), given, said,
           'a bit must be 0 or 1; for other numbers give items.Vectors or items.Tokens')
  return stored


def _numbers(kind, given, said):
  _check((given >= 0) & (given < kind.width), given, said,
         f'a token must be a whole number of 0 to {kind.width - 1:,}')
  return given.astype(np.int32)


def _check(right, given, said, must):
  if not right.all():
    place = tuple(int(i) for i in np.argwhere(~right)[0])
    raise errors.UserError(f'{said} holds {given[place]} at {list(place)}; {must}')


def read(kind: Items, stored: chex.Array) -> chex.Array:
  """Items [n, D] from how they are stored; see `of_kind`."""
  stored = jnp.asarray(stored)
  return kind.one_hot(stored) if stored.ndim == 1 else stored  # type: ignore[attr-defined]
