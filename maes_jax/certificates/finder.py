"""Finds a certificate: runs the checker's own steps with boxes that give way until none has to."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from maes_jax.certificates import checker
from maes_jax.certificates import seals
from maes_jax.certificates.attention import Opening
from maes_jax.certificates.attention import Refused
from maes_jax.certificates.attention import require
from maes_jax.certificates.attention import Shift
from maes_jax.certificates.cell import Cell
from maes_jax.certificates.intervals import hull
from maes_jax.certificates.intervals import Interval
from maes_jax.certificates.intervals import of
from maes_jax.certificates.intervals import sigmoid
from maes_jax.certificates.intervals import stack
from maes_jax.certificates.places import Places

_STEPS = 64  # Of a phase that shows where the heads go, and where hidden states are.
_FITS = 20  # Of bounds on attention, until what they leave elsewhere changes them no more.
_ROUNDS = 200  # Until boxes have stopped to grow, or never will.
_CELLS = 'encoder', 'solver'
_SPARE = 1e-6  # How much more than they have to boxes grow,
_FACTOR = 1.01  # and bounds on attention.
_RATIO = .5  # Of bounds on attention at neighbouring distances.
_SHARP = {'away': 1e-9, 'leak': 1e-9, 'first': 1e-10, 'ratio': _RATIO, 'trail': 0}


class Way(NamedTuple):
  """How much trouble to take.

  Attributes:
    depths: of encoder and solver, how often boxes of hidden states are made smaller.
    trail: whether the solver's attention may leave a trail behind the head.
    opening: of encoder and solver, whether attention may be softer after the marker, and the
      first items, or the first answer, are gone through on their own.
    refined: whether bounds on attention are fitted to the smaller boxes.
  """
  depths: tuple[int, int] = (1, 1)
  trail: bool = False
  opening: tuple[bool, bool] = (False, False)
  refined: bool = False


PLAIN = Way()


@np.errstate(all='ignore')  # What is not a number holds nothing.
def find(
    params: Mapping[str, Any], says: Mapping[str, Any], eta: float,
    way: Way = PLAIN,
) -> dict[str, Any]:
  """A certificate that the checker accepts.

  Args:
    params: as `checker.check` takes them.
    says: what the certificate says of model and task: `form`, `claim`, and texts.
    eta: the disturbance that it allows.
    way: what it is to go by.

  Raises:
    Refused: none was found; says what does not hold.
  """
  certificate = enclose(params, says, eta, way)
  found = checker.margin(Cell(params, certificate, 'encoder'), Cell(params, certificate, 'solver'),
                         certificate)
  require(found > 0, f'an answer may be wrong, by a margin of {found:.3g}')
  certificate['margin'] = float(f'{found * (1 - 1e-5):.6g}')
  return {**certificate, 'seal': seals.seal(certificate)}


@np.errstate(all='ignore')
def enclose(params, says, eta, way) -> dict[str, Any]:
  """All of a certificate but its margin, whatever the answers are."""
  certificate = {'format': checker.FORMAT, **says, 'parameters': seals.digest(params),
                 'eta': eta, 'addresses': [0, 0]}
  for name in _CELLS:
    certificate[name] = _blank(eta, certificate['form']['width'])
  encoder, solver = (Cell(params, certificate, name) for name in _CELLS)
  certificate['encoder']['opening'] = encoder.reach if way.opening[0] else 0
  certificate['solver']['attention']['trail'] = 2 * solver.reach if way.trail else 0
  certificate['solver']['opening'] = way.opening[1] and not Places(certificate).handover
  _look_where_they_go(params, certificate)
  for _ in range(_FITS):
    if _fits(params, certificate, way):
      break
  for name, depth in zip(_CELLS, way.depths):
    certificate[name]['depth'] = depth
  return certificate


def _fits(params, certificate, way) -> bool:
  """Makes bounds on attention that the cells keep; whether they are those that there were.

  What attention leaves elsewhere is read, which changes attention a little.
  """
  before = {name: certificate[name]['attention'] for name in _CELLS}
  for name, cell in _settle(params, certificate, way.depths if way.refined else (0, 0)).items():
    certificate[name] |= {**cell.says(), 'attention': _fit(cell)}
  _hand_over(certificate)
  if any(certificate[name]['attention'][bound] > before[name][bound] * _FACTOR
         for name in _CELLS for bound in ('away', 'first')):
    return False
  for name in _CELLS:
    certificate[name]['attention'] = before[name]
  return True


class Growing(Cell):
  """A cell whose boxes grow to hold what they do not."""

  def __init__(self, params, certificate, name, refined=0):
    super().__init__(params, certificate, name)
    self.refined, self.depth, self.grew, self.looks = refined, 0, False, False
    self.shifts: tuple[Shift, ...] = ()
    self.opens: list[tuple[Opening, Shift]] = []
    self.after: Opening | None = None

  def hold_read(self, word):
    self.read = self._grown(self.read, word)

  def hold_hidden(self, state, hidden):
    self.hiddens[state] = self._grown(self.hiddens[state], hidden)

  def _grown(self, box, value):
    if box.holds(value):
      return box
    require(np.isfinite([value.lo, value.hi]).all(), 'the boxes of hidden states grow for ever')
    self.grew = True
    return hull(box, Interval(value.lo - _SPARE, value.hi + _SPARE))

  def _next(self, pasts, x, r, after):
    """Of one state it is enough to know the hull, which is that of each summand."""
    if len(pasts) > 1 or self.depth:
      return super()._next(pasts, x, r, after)
    of_x, of_r = self.present(x, r)
    return [sigmoid(self.off(of_x.over(0) + of_r.over(0) + pasts[0].over(0)))[None, None]]

  def shift(self, x, h, r, move):
    """Nothing, while boxes grow: they do not depend on it."""
    return super().shift(x, h, r, move) if self.looks else None

  def logits(self, x, h, r):
    return None

  def check_opening(self, opening: Opening, first: Shift):
    self.opens = [(opening, first)]

  def check_after(self, opening: Opening):
    self.after = opening

  def check_attention(self, *shifts: Shift):
    self.shifts = shifts

  def says(self):
    return {'read': _listed(self.read), 'hidden': [*map(_listed, self.hiddens)]}


def _listed(box):
  return [box.lo.tolist(), box.hi.tolist()]


def _blank(eta, width):
  return {'moves': [0, 1], 'depth': 0, 'attention': dict(_SHARP), 'hidden': [],
          'opening': False, 'read': [[-eta] * width, [eta] * width]}


def _look_where_they_go(params, certificate):
  """Fills in moves, the boxes of a few steps, and the memory that they need."""
  encoder, solver = (Growing(params, certificate, name) for name in _CELLS)
  places = Places(certificate)
  items, markers, nothing = places.items, places.markers, np.zeros((1, encoder.width))
  certificate['encoder'] |= _walk(encoder, markers[0], nothing[0], items, nothing,
                                  np.zeros((1, len(items), 1), int))
  places = Places(certificate)
  require(places.move, 'the encoder does not move')
  at_marker = encoder.write(markers[0], of(np.zeros((1, encoder.units))), encoder.off(of(nothing)))
  read = stack(encoder.read, encoder.written(of(nothing), at_marker)[0])
  on_marker = [int(item and item == places.on_marker) for item in places.kinds]
  certificate['encoder']['read'] = _listed(read[on_marker])
  encoder = Growing(params, certificate, 'encoder')
  stored = _until_it_holds(encoder, lambda: checker.store(encoder, places))
  after = checker.claim(certificate).after
  certificate['solver'] |= _walk(solver, markers[1], checker.at_start(stored, places).lo[0],
                                 places.shown, stored.items.lo, after)
  certificate['addresses'] = _room(certificate)


def _room(certificate):
  """The least memory in which nothing wraps: slope n + extra addresses."""
  places = Places(certificate)
  slope = abs(places.move)
  return [slope, places.span(slope) - slope + 1]


def _walk(cell, marker, start, shown, read, after):
  """Where the head goes at the marker and then, and by state the box of the hidden states."""
  random = np.random.default_rng(0)
  taps = slice(2 * cell.width, -1)
  raw = lambda x, h, r: cell.layer(cell.layers['interface'], x, of(h), of(r)).lo[0, 0]
  move = lambda of_step: int(of_step[taps].argmax()) - cell.reach
  x, r, state, h = marker, start[None], 0, np.zeros((1, cell.units))
  moves, hiddens = [], [[] for _ in after]
  for step in range(_STEPS):
    of_step = raw(x, h, r)
    moves.append(move(of_step))
    h = cell.hidden(x, of(h), of(r)).lo[0, 0]
    hiddens[state].append(h[0])
    # Half of the steps in the first state, or the nearest to it that can be.
    ways = np.argwhere((after[state] == after[state].min()) | (step >= _STEPS // 2))
    shown_, read_ = ways[random.integers(len(ways))]
    x, r, state = shown[[shown_]], read[[min(read_, len(read) - 1)]], after[state, shown_, read_]
  nothing = [[1.] * cell.units, [0.] * cell.units]  # Of a state that this way did not lead to.
  box = lambda found: [np.min(found, 0).tolist(), np.max(found, 0).tolist()]
  return {'moves': [moves[0], int(np.median(moves[1:]))],
          'hidden': [box(found) if found else nothing for found in hiddens]}


def _settle(params, certificate, depths=(0, 0)):
  """Both cells with boxes that hold everything, and how they then move."""
  cells = {name: Growing(params, certificate, name, depth)
           for name, depth in zip(_CELLS, depths)}
  encoder, solver = cells.values()
  places = Places(certificate)
  stored = _until_it_holds(encoder, lambda: checker.store(encoder, places))
  claim = checker.claim(certificate).again(len(stored.items.lo) * places.times)
  _until_it_holds(solver, lambda: checker.answer(solver, stored, places, claim))
  return cells


def _until_it_holds(cell, run):
  for _ in range(_ROUNDS):
    cell.grew = False
    found = run()
    if not cell.grew and cell.looks:
      return found
    cell.looks = not cell.grew
    cell.depth = cell.refined if cell.looks else 0
  raise Refused('the boxes of hidden states grow for ever')


def _fit(cell):
  """Bounds on attention that the steps keep, each a little larger than it has to be."""
  trail = int(cell.attention.trail.lo)
  found = _left_by(cell.after) if cell.after else (0., 0.)
  for opening, step in cell.opens:
    at = [0., *(float(opening.at(k).hi) for k in range(1, 2 * cell.reach + 1))]
    found = _kept_by(cell, trail, step, float(opening.away.hi), at, found)
  for _ in range(_ROUNDS):
    before = found
    for step in cell.shifts:
      away, first = found
      at = [first * _RATIO**(k - 1) for k in range(2 * cell.reach + 1)]
      found = _kept_by(cell, trail, step, away, at, found)
    require(found[0] < .5, 'attention does not stay on one address')
    if found == before:
      break
  away, first = float(max(found[0], 1e-12) * _FACTOR), float(max(found[1], 1e-15))
  return {'away': away, 'first': first, 'ratio': _RATIO, 'trail': trail, 'leak': _leak(first)}


def _left_by(opening):
  """Bounds, away and first, that hold after a step from one address alone."""
  first = max(float(opening.at(k).hi) / _RATIO**(k - 1) for k in range(1, opening.far + 1))
  return float(opening.away.hi) * _FACTOR, first * _FACTOR


def _kept_by(cell, trail, step, before, at, found):
  """Bounds, away and first, that grow to what a step makes of others: away, and by distance."""
  away, first = found
  ahead, behind, gamma = step.ahead.hi, step.behind.hi, step.gamma.lo
  most, kept = 1 + cell.eta, (1 - before) * (1 - cell.eta)
  sharp = lambda given: np.max(np.clip(given / kept, 0, 1)**gamma) * most * _FACTOR
  away = max(away, sharp(before + (ahead + behind) * most))
  for k in range(1, 2 * cell.reach + 1):
    nearer = ahead * most + behind * (before if trail else most)
    first = max(first, sharp(at[k] * (1 + ahead + behind) + nearer) / _RATIO**(k - 1))
  return away, first


def _leak(first):
  return 2 * first / (1 - _RATIO) * (1 + 1e-9)


def _hand_over(certificate):
  """The solver's bounds must allow for what the encoder leaves."""
  given, taken = (certificate[name]['attention'] for name in _CELLS)
  for name in ('away', 'first'):
    taken[name] = max(taken[name], given[name])
  taken['leak'] = _leak(taken['first'])
