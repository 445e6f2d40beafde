"""How sharp attention stays, whatever N is. Part of the checker, see there."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from maes_jax.certificates.intervals import exp
from maes_jax.certificates.intervals import hull
from maes_jax.certificates.intervals import Interval
from maes_jax.certificates.intervals import log
from maes_jax.certificates.intervals import of


_LEAST = 1e-300  # Of what has no logarithm.


class Refused(Exception):
  """Why a certificate proves nothing."""


class Imprecise(Refused):
  """Single precision may be off by more than eta."""


def require(condition, otherwise: str, error: type[Refused] = Refused):
  if not condition:
    raise error(otherwise)


class Shift(NamedTuple):
  """How steps move the head, leaves [A, P]."""
  ahead: Interval  # What the kernel gives to shifts beyond the move, over what it gives to that,
  behind: Interval  # and to those short of it.
  gamma: Interval


class Attention:
  """What other addresses than the head's have of attention.

  Attributes:
    away: all of them together, at one step.
    leak: one of them in all steps of a phase, but for those at which it lies in the trail: so many
      addresses behind the head, 0 or 2 K. At distance k from head and trail it is at most
      first ratio^(k - 1) at a step.
    passing: one of them in all steps.
    weight: what the head's address has.
  """

  def __init__(self, says, eta, reach):
    names = 'away', 'leak', 'trail', 'first', 'ratio'
    require(all(isinstance(says[name], int | float) for name in names), 'attention is not bounded')
    self.away, self.leak, self.trail, self.first, self.ratio = (of(says[name]) for name in names)
    self.reach, self.most, self.far = reach, 1. + of(eta), 2 * reach + 1
    self.weight = (1. - hull(0., self.away)) * hull(1. - of(eta), self.most)
    self.passing = self.leak + self.trail * self.away

  def check(self, shifts: Sequence[Shift], before: 'Attention | Opening | None' = None):
    """Lemmas A and B: the bounds hold after each of these steps if they, or others, did before."""
    require(self.away.lo >= 0 and self.away.hi < 1 and self.trail.lo in (0, 2 * self.reach) and
            self.first.lo > 0 and 0 < self.ratio.lo < 1, 'attention is not bounded')
    # Both sides together: 2 (first + first ratio + first ratio^2 + ...) <= leak
    require((2. * self.first).hi <= (self.leak * (1. - self.ratio)).lo,
            'more attention leaks than it says')
    for shift in shifts:
      self._check(before or self, of(shift.ahead.hi), of(shift.behind.hi), of(shift.gamma.lo))

  def check_after(self, opening: 'Opening'):
    """The bounds hold after such a step from one address alone."""
    require(opening.away.hi <= self.away.lo and
            all(opening.at(k).hi <= self.at(k).lo for k in range(1, opening.far + 1)),
            'the marker leaves more attention than it says')

  def _check(self, before, ahead, behind, gamma):
    kept = of(before.weight.lo)
    # All others together: of numbers >= 0 the sum of powers is at most the power of the sum.
    given = before.away + (ahead + behind) * self.most
    require(self._sharpened(given, kept, gamma) <= log(self.away).lo,
            'attention does not stay on one address')
    # At distance k: what was there, and a share of what was 2 K nearer. What holds once at `far`
    # holds farther away.
    in_trail = before.away if self.trail.lo else self.most
    for k in range(1, before.far + 1):
      nearer = (ahead * self.most + behind * in_trail if k <= 2 * self.reach else
                (ahead + behind) * before.at(k - 2 * self.reach))
      given = before.at(k) * (1. + ahead + behind) + nearer
      require(self._sharpened(given, kept, gamma) <= self._at(k).lo,
              'attention does not stay sharp')

  def _sharpened(self, given, kept, gamma) -> float:
    """The logarithm of (given / kept)^gamma, at most: infinite where it may grow."""
    share = log(given) - log(kept)
    return float(np.max(np.where(share.hi <= 0, (gamma * share + log(self.most)).hi, np.inf)))

  def at(self, k: int) -> Interval:
    """The most that an address at distance k >= 1 has, or any farther away."""
    return exp(self._at(k))

  def _at(self, k) -> Interval:
    return log(self.first) + float(k - 1) * log(self.ratio)


class Opening:
  """What attention a step from one address alone leaves: none but at the kernel's shifts.

  Attributes:
    weight: what the head's address has.
    away: all others together.
    far: where, seen from the head, a step later there is none any more.
  """

  def __init__(self, shares: Interval, move: int, eta: float):
    self._shares, self._move = shares * hull(1. - of(eta), 1. + of(eta)), move  # [2 K + 1]
    self.reach = len(shares) // 2
    self.weight, self.far = self.share(move), 4 * self.reach + 1
    self.away = sum((self.share(shift) for shift in self._others(1)), start=of(0.))

  def share(self, shift: int) -> Interval:
    """What the address has that is so far from where the head was."""
    return self._shares[self.reach + shift] if abs(shift) <= self.reach else of(0.)

  @property
  def elsewhere(self) -> Interval:
    """What any other than the head's has."""
    return hull(0., *map(self.share, self._others(1)))

  def at(self, k: int) -> Interval:
    """The most that an address at distance k >= 1 from the head has, or any farther away."""
    return of(max([_LEAST, *(float(self.share(shift).hi) for shift in self._others(k))]))

  def _others(self, distance):
    return [shift for shift in range(-self.reach, self.reach + 1)
            if abs(shift - self._move) >= distance]
