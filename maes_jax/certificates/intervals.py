"""Intervals that hold the exact result, whatever is rounded: float64, every bound moved outwards.

NumPy rounds sums and products to the nearest number, and its functions to within a few units in the
last place. Here bounds move by 2^-48 of their size, by sixteen such units.
"""

import dataclasses
import functools
from typing import Union

import numpy as np

_STEP = 2.**-48
_LEAST = 2.**-1000  # Where numbers are so small that rounding is no longer relative.

Number = Union['Interval', float, np.ndarray]  # What is no interval is known exactly.


@dataclasses.dataclass(frozen=True, eq=False)
class Interval:
  """All numbers from `lo` to `hi`, arrays of one shape; where a bound is NaN nothing is known."""
  lo: np.ndarray
  hi: np.ndarray

  __array_ufunc__ = None  # So that NumPy's arrays leave their operators to this class.

  def __getitem__(self, index) -> 'Interval':
    return Interval(self.lo[index], self.hi[index])

  def __len__(self) -> int:
    return len(self.lo)

  def __add__(self, other: Number) -> 'Interval':
    other = of(other)
    return _outwards(self.lo + other.lo, self.hi + other.hi)

  def __neg__(self) -> 'Interval':
    return Interval(-self.hi, -self.lo)

  def __sub__(self, other: Number) -> 'Interval':
    return self + -of(other)

  def __rsub__(self, other: Number) -> 'Interval':
    return of(other) + -self

  def __mul__(self, other: Number) -> 'Interval':
    other = of(other)
    return _outwards(*_ends(self.lo * other.lo, self.lo * other.hi,
                            self.hi * other.lo, self.hi * other.hi))

  __radd__, __rmul__ = __add__, __mul__

  def rows(self) -> 'Interval':
    """The first two axes as one."""
    shape = -1, *self.lo.shape[2:]
    return Interval(self.lo.reshape(shape), self.hi.reshape(shape))

  def over(self, *axes: int) -> 'Interval':
    """The smallest that holds all along these axes."""
    return Interval(self.lo.min(axes), self.hi.max(axes))

  def holds(self, other: 'Interval') -> bool:
    """Whether every number of the other is in this one; no interval holds what is not known."""
    return bool(np.all(self.lo <= other.lo) and np.all(other.hi <= self.hi))


def of(value: Number) -> Interval:
  if isinstance(value, Interval):
    return value
  exact = np.asarray(value, np.float64)
  return Interval(exact, exact)


def hull(*parts: Number) -> Interval:
  """The smallest that holds all of these."""
  lows, highs = zip(*((part.lo, part.hi) for part in map(of, parts)))
  return Interval(_ends(*lows)[0], _ends(*highs)[1])


def stack(*parts: Interval) -> Interval:
  """Rows of several, one after the other."""
  return Interval(np.concatenate([part.lo for part in parts]),
                  np.concatenate([part.hi for part in parts]))


def affine(x: Interval, kernel: np.ndarray, bias: np.ndarray | float = 0.) -> Interval:
  """x W + b: [..., I] -> [..., O], for W [I, O] and b [O].

  In whatever order I + 1 numbers are added up, the sum is off by less than (I + 1) 2^-52 of the sum
  of their sizes.
  """
  up, down = np.maximum(kernel, 0), np.minimum(kernel, 0)
  sizes = np.maximum(abs(x.lo), abs(x.hi)) @ abs(kernel) + abs(bias)
  return _outwards(x.lo @ up + x.hi @ down + bias, x.hi @ up + x.lo @ down + bias,
                   (len(kernel) + 1) * sizes)


def sigmoid(x: Interval) -> Interval:
  return _rising(lambda x: 1 / (1 + np.exp(-x)), x, minimum=0., maximum=1.)


def softplus(x: Interval) -> Interval:
  return _rising(lambda x: np.logaddexp(0, x), x, minimum=0.)


def exp(x: Interval) -> Interval:
  return _rising(np.exp, x, minimum=0.)


def log(x: Interval) -> Interval:
  return _rising(np.log, x)


def relu(x: Interval) -> Interval:
  return Interval(np.maximum(x.lo, 0), np.maximum(x.hi, 0))


def _rising(function, x, minimum=-np.inf, maximum=np.inf):
  """A function that never falls, between the least and the greatest that it can be."""
  with np.errstate(over='ignore', divide='ignore', invalid='ignore'):
    found = _outwards(function(x.lo), function(x.hi))
  return Interval(np.maximum(found.lo, minimum), np.minimum(found.hi, maximum))


def _ends(*bounds):
  return functools.reduce(np.minimum, bounds), functools.reduce(np.maximum, bounds)


def _outwards(lo, hi, sizes=None):
  """Bounds moved by a step of these sizes, or of their own."""
  below, above = (abs(lo), abs(hi)) if sizes is None else (sizes, sizes)
  return Interval(lo - (_STEP * below + _LEAST), hi + (_STEP * above + _LEAST))
