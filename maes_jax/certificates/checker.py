"""Checks a certificate: that a MAES of these parameters answers right at every length.

Nothing here searches. A certificate says where the heads move, in which boxes hidden states and
words that are read stay, and how far attention spreads; this evaluates inclusions and signs, in
intervals. docs/certificates.md has the theorem that they prove, lemma by lemma. NumPy is enough.

Each number that a layer puts out and each component of a word that is read may be off by eta, and
each weight of attention by its eta-th part.
"""

import base64
from collections.abc import Mapping
import hashlib
import json
from typing import Any, NamedTuple
import zlib

import numpy as np

from maes_jax.certificates.attention import require
from maes_jax.certificates.cell import Cell
from maes_jax.certificates.intervals import hull
from maes_jax.certificates.intervals import Interval
from maes_jax.certificates.intervals import of
from maes_jax.certificates.places import Places

FORMAT = 1


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
  claimed = claim(certificate)
  right, after = claimed
  require(right.shape[:-1] == after.shape == (len(after), len(places.shown), len(places.items)),
          'the claim is not about all words')
  _check_handover(encoder.attention, solver.attention)
  logits = answer(solver, store(encoder, places), places, claimed)
  require(all(logit.lo.shape == right.shape[1:] for logit in logits),
          'the claim is not about all logits')
  margins = [np.where(bits, logit.lo, -logit.hi).min() for bits, logit in zip(right, logits)]
  return float(np.min(margins)) - solver.rounding('output')  # Not a number if one is not.


class Claim(NamedTuple):
  """What the solver computes: a machine of S states that starts in state 0."""
  right: np.ndarray  # [S, A, P, Y] bits of the right answer
  after: np.ndarray  # [S, A, P] the state that follows


def claim(certificate: Mapping[str, Any]) -> Claim:
  return Claim(*(unpacked(certificate['claim'][name]) for name in Claim._fields))


class Stored(NamedTuple):
  """What may lie in memory when solving starts."""
  fresh: Interval  # [W]
  marker: Interval  # [W]
  items: Interval  # [P, W]

  @property
  def anything(self) -> Interval:
    return hull(self.fresh, self.marker, self.items.over(0))


def store(cell: Cell, places: Places) -> Stored:
  """The encoder's phase: what it leaves in memory of each word, whatever came before."""
  nothing, read = of(np.zeros(cell.width)), cell.read[None]
  of_marker = places.markers[0], of(np.zeros((1, cell.units))), cell.off(nothing[None])
  one_state = np.zeros((1, len(places.items), 1), int)
  states, = cell.states(cell.hidden(*of_marker)[0, 0, 0], places.items, read, one_state)
  cell.check_attention(cell.shift(*of_marker, cell.moves[0]),
                       cell.shift(places.items, states, read, cell.moves[1]))
  at_marker, at_items = cell.write(*of_marker), cell.write(places.items, states, read)
  rest = lambda word: cell.leaked(word, at_marker, at_items)
  fresh, marker = rest(nothing), rest(cell.written(nothing, at_marker)[0, 0])
  under = hull(fresh, marker) if places.marker_is_revisited else fresh
  stored = Stored(fresh, marker, rest(cell.written(under, at_items)[:, 0]))
  looked_at = under if places.writes_first else hull(marker, stored.items.over(0))
  cell.hold_read(cell.seen(looked_at, stored.anything))
  return stored


def at_start(stored: Stored, places: Places) -> Interval:
  """What may lie where the solver starts."""
  what = (stored.fresh, stored.marker, stored.items.over(0))
  return hull(*(word for word, may in zip(what, places.at_start()) if may))


def answer(cell: Cell, stored: Stored, places: Places, claim: Claim):
  """The solver's phase: by state its logits [A, P, Y]."""
  of_marker = (places.markers[1], of(np.zeros((1, cell.units))),
               cell.seen(at_start(stored, places), stored.anything)[None])
  first = cell.hidden(*of_marker)[0, 0, 0]
  cell.hold_hidden(0, first)
  at_any = cell.write(places.shown, hull(*cell.hiddens)[None], cell.read[None])
  read = cell.seen(*_left(cell, stored, places, cell.write(*of_marker), at_any))
  cell.hold_read(read.over(0))
  states = cell.states(first, places.shown, read, claim.after)
  cell.check_attention(cell.shift(*of_marker, cell.moves[0]), *(
      cell.shift(places.shown, boxes, read, cell.moves[1]) for boxes in states))
  return [cell.logits(places.shown, boxes, read) for boxes in states]


def _check_handover(given, taken):
  """The solver's bounds on attention allow for what the encoder leaves."""
  require(given.trail.hi == 0 and given.away.hi <= taken.away.lo and
          given.first.hi <= taken.first.lo and given.ratio.hi <= taken.ratio.lo,
          'the solver is handed attention over that is not bounded')


def _left(cell, stored, places, *steps):
  """What the solver's own steps leave of the items, and of anything."""
  rest = lambda word, passed=False: cell.leaked(word, *steps, passed=passed)
  by_any = lambda word: hull(*(cell.written(word, step.of_all()) for step in steps))
  items, anything = rest(stored.items), rest(stored.anything, passed=True)
  for _ in range(2):  # No address is under its head more often.
    anything = rest(hull(anything, by_any(anything)), passed=True)
  if not places.writes_first:  # The step before has written where this one reads.
    items = rest(by_any(items))
  elif places.start_is_read_again:
    items = rest(hull(items, cell.written(items, steps[0].of_all())))
  return items, anything


def digest(params: Mapping[str, Any]) -> str:
  """Of the numbers of all layers, in the order of their names."""
  found = hashlib.sha256()
  for cell in sorted(params):
    for layer in sorted(params[cell]):
      for part in sorted(params[cell][layer]):
        value = np.ascontiguousarray(params[cell][layer][part], np.float64)
        found.update(f'{cell}/{layer}/{part} {value.shape} '.encode() + value.tobytes())
  return found.hexdigest()


def seal(certificate: Mapping[str, Any]) -> str:
  """Of all that the certificate says but this."""
  rest = {name: value for name, value in certificate.items() if name != 'seal'}
  return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def packed(numbers: np.ndarray) -> dict[str, Any]:
  """Small whole numbers as JSON can hold them."""
  data = zlib.compress(numbers.astype(np.uint8).tobytes(), 9)
  return {'shape': list(numbers.shape), 'data': base64.b64encode(data).decode()}


def unpacked(value: Mapping[str, Any]) -> np.ndarray:
  size = int(np.prod(value['shape']))
  data = zlib.decompressobj().decompress(base64.b64decode(value['data']), size + 1)
  require(len(data) == size, 'an array is not of its shape')
  return np.frombuffer(data, np.uint8).reshape(value['shape'])
