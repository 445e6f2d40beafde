"""Checks a certificate: that a MAES of these parameters answers right at every length.

Nothing here searches. A certificate says where the heads move, in which boxes hidden states and
words that are read stay, and how far attention spreads; this evaluates inclusions and signs, in
intervals. docs/certificates.md has the theorem that they prove, lemma by lemma. NumPy is enough.

Each number that a layer puts out and each component of a word that is read may be off by eta, and
each weight of attention by its eta-th part.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from maes_jax.certificates.attention import require
from maes_jax.certificates.cell import Cell
from maes_jax.certificates.cell import Write
from maes_jax.certificates.intervals import hull
from maes_jax.certificates.intervals import Interval
from maes_jax.certificates.intervals import of
from maes_jax.certificates.intervals import stack
from maes_jax.certificates.places import Places
from maes_jax.certificates.seals import digest
from maes_jax.certificates.seals import seal
from maes_jax.certificates.seals import unpacked
from maes_jax.certificates.storing import store
from maes_jax.certificates.storing import Stored

FORMAT = 4


@np.errstate(all='ignore')  # What is not a number holds nothing.
def check(params: Mapping[str, Any], certificate: Mapping[str, Any]) -> float:
  """The smallest margin of a logit that counts, in single precision, over all sequences.

  Args:
    params: {'encoder': ..., 'solver': ...}, by layer the kernel [X + H + W, O] and the bias [O].
    certificate: as `finder.find` makes one.

  Raises:
    Refused: it is of other parameters, was changed, or does not prove what it says.
  """
  require(certificate.get('format') == FORMAT, f'it is not of format {FORMAT}')
  require(certificate.get('seal') == seal(certificate), 'it was changed since it was made')
  require(certificate['parameters'] == digest(params), 'it is of other parameters')
  require(all(np.asarray(part).dtype in (np.float32, np.float64) for cell in params.values()
              for layer in cell.values() for part in layer.values()),
          'the parameters are of less than single precision')
  found = margin(Cell(params, certificate, 'encoder'), Cell(params, certificate, 'solver'),
                 certificate)
  require(found >= certificate['margin'] > 0, f'an answer may be wrong, by a margin of {found:.3g}')
  return found


def margin(encoder: Cell, solver: Cell, certificate: Mapping[str, Any]) -> float:
  """How far the nearest logit is on its right side; negative if one may be wrong.

  Raises:
    Refused: something else does not hold.
  """
  places = Places(certificate)
  places.check()
  right, after = claim(certificate)
  require(right.shape[:-1] == after.shape == (len(after), len(places.shown), len(places.items)),
          'the claim is not about all words')
  stored = store(encoder, places)
  claimed = Claim(right, after).again(len(stored.items.lo) * places.times)
  _check_handover(encoder.attention, solver.attention)
  logits = answer(solver, stored, places, claimed)
  require(all(logit.lo.shape == claimed.right.shape[1:] for logit in logits),
          'the claim is not about all logits')
  margins = [np.where(bits, logit.lo, -logit.hi).min()
             for bits, logit in zip(claimed.right, logits)]
  return float(np.min(margins)) - solver.rounding('output')  # Not a number if one is not.


class Claim(NamedTuple):
  """What the solver computes: a machine of S states that starts in state 0."""
  right: np.ndarray  # [S, A, P, Y] bits of the right answer
  after: np.ndarray  # [S, A, P] the state that follows

  def again(self, count: int) -> 'Claim':
    """The same about all words again and again, P = `count` in all."""
    which = np.arange(count) % self.after.shape[2]
    return Claim(self.right[:, :, which], self.after[:, :, which])

  def opened(self) -> 'Claim':
    """The same with a state more, of the first answer alone."""
    return Claim(*(np.concatenate([leaf[:1], leaf]) for leaf in (self.right, self.after + 1)))


def claim(certificate: Mapping[str, Any]) -> Claim:
  found = Claim(*(unpacked(certificate['claim'][name]) for name in Claim._fields))
  return found.opened() if certificate['solver']['opening'] else found


def at_start(stored: Stored, places: Places) -> Interval:
  """What may lie where the solver starts [F, W]."""
  fresh, marker, item = places.at_start()
  # At a restart, an item where the marker's word lies has been put on that.
  items = stored.items[places.apart if marker and not places.handover else 0:]
  return stack(*[stored.fresh[None]] * fresh, *[stored.marker[None]] * marker, *[items] * item)


def answer(cell: Cell, stored: Stored, places: Places, claim: Claim):
  """The solver's phase: by state its logits [A, P, Y]."""
  marker, nothing = places.markers[1], of(np.zeros((1, cell.units)))
  at_any = cell.write(places.shown, hull(*cell.hiddens)[None], cell.read)
  starts = cell.seen(_starts(cell, stored, places, at_any), stored.anything)
  first = cell.hidden(marker, nothing, starts)[0, :, 0]
  cell.hold_hidden(0, first.over(0))
  read = cell.seen(*_left(cell, stored, places, cell.write(marker, nothing, starts), at_any))
  cell.hold_read(read.over(0)[None])
  states = cell.states(first, places.shown, read, claim.after)
  moves = [cell.shift(places.shown, boxes, read, cell.moves[1]) for boxes in states]
  if places.solver_opens:
    opening = cell.opening(marker, nothing, starts)
    cell.check_after(opening)
    cell.check_opening(opening, moves.pop(0))
  else:
    moves.append(cell.shift(marker, nothing, starts, cell.moves[0]))
  cell.check_attention(*moves)
  return [cell.logits(places.shown, boxes, read) for boxes in states]


def _check_handover(given, taken):
  """The solver's bounds on attention allow for what the encoder leaves."""
  require(given.trail.hi == 0 and given.away.hi <= taken.away.lo and
          given.first.hi <= taken.first.lo and given.ratio.hi <= taken.ratio.lo,
          'the solver is handed attention over that is not bounded')


def _starts(cell, stored, places, at_any):
  """What may lie where the solver starts, the first time and each time after that [F, W]."""
  found = [at_start(stored, places)]
  for _ in range(places.times - 1):
    own = _at_marker(cell, places, cell.off(found[-1]))
    found.append(cell.leaked(cell.written(found[-1], own)[0], own, at_any, times=places.times))
  return stack(*found)


def _at_marker(cell, places, read):
  """What the solver's marker step writes, whichever of these words [P, W] it reads."""
  return cell.write(places.markers[1], of(np.zeros((1, cell.units))), read)


def _left(cell, stored, places, *steps):
  """What the solver's own steps leave of the items, and of anything."""
  rest = lambda word, passed=False: cell.leaked(word, *steps, passed=passed, times=places.times)
  by_any = lambda word: hull(*(cell.written(word, step.of_all()) for step in steps))
  items, anything = rest(stored.items), rest(stored.anything, passed=True)
  for _ in range(2 * places.times):  # No address is under its head more often.
    anything = rest(hull(anything, by_any(anything)), passed=True)
  if not places.writes_first:  # The step before has written where this one reads.
    items = rest(by_any(items))
  elif places.start_is_read_again:
    on_nothing, on_marker = items[:places.apart], items[places.apart:]
    if places.handover:
      items = hull(items, cell.written(items, steps[0].of_all()))
    else:  # The word that the first step reads is the one that it writes on.
      own = _at_marker(cell, places, cell.seen(on_marker, anything))
      items = stack(on_nothing, cell.written(on_marker, Write(own.add[0], own.erase[0])))
    items = rest(items)
  return stack(items, *_left_again(cell, places, items, anything, rest)), anything


def _left_again(cell, places, items, anything, rest):
  """What is left of the items each time that all of them have been read once more.

  By then the trail of every pass before has gone over them.
  """
  for _ in range(places.times - 1):
    own = cell.write(places.shown, hull(*cell.hiddens)[None], cell.seen(items, anything))
    items = rest(cell.written(items, own)[0], passed=True)
    yield items
