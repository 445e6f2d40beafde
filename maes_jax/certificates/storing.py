"""The encoder's phase: what it leaves in memory. Part of the checker, see there."""

from typing import NamedTuple

import numpy as np

from maes_jax.certificates.attention import require
from maes_jax.certificates.cell import Cell
from maes_jax.certificates.intervals import hull
from maes_jax.certificates.intervals import Interval
from maes_jax.certificates.intervals import of
from maes_jax.certificates.intervals import stack
from maes_jax.certificates.places import Places


class Stored(NamedTuple):
  """What the encoder leaves."""
  fresh: Interval  # [W] where nothing was put
  marker: Interval  # [W]
  items: Interval  # [P, W] all words, again for each of `Places.kinds`

  @property
  def anything(self) -> Interval:
    return hull(self.fresh, self.marker, self.items.over(0))


def store(cell: Cell, places: Places) -> Stored:
  """What it leaves of each word, whatever came before."""
  phase = _Phase(cell, places)
  items = stack(*(phase.put(item) for item in places.kinds))
  stored = Stored(phase.left(phase.nothing), phase.left(phase.marked), items)
  cell.hold_read(stack(*(phase.read(item, stored)[None] for item in places.kinds)))
  return stored


class _Phase:
  """Its steps, by kind of item."""

  def __init__(self, cell, places):
    self.cell, self.places, self.nothing = cell, places, of(np.zeros(cell.width))
    require(places.opening in (0, cell.reach), 'the kernel reaches otherwise')
    marker = places.markers[0], of(np.zeros((1, cell.units))), cell.off(self.nothing[None])
    self._opening = cell.opening(*marker) if places.opening else None
    self._before = self._met(cell.hidden(*marker)[0, 0])
    self._writes = {item: cell.write(*self._step(item)) for item in places.kinds}
    self._marker = cell.write(*marker)
    self.marked = cell.written(self.nothing, self._marker)[0, 0]
    self._check_moves(cell.shift(*marker, cell.moves[0]))

  def _met(self, past):
    """By kind of item the hidden states [Q, H] that it may meet; `past` is after the marker."""
    found = {}
    for item in sorted(self.places.kinds)[1:]:
      found[item] = past
      past = self.cell.hidden(self.places.items, past, self._row(item))[:, 0].over(1)
    one_state = np.zeros((1, len(self.places.items), 1), int)
    found[0], = self.cell.states(past, self.places.items, self._row(0), one_state)
    return found

  def _step(self, item):
    """What the cell is shown, what state it may be in, what it reads."""
    return self.places.items, self._before[item], self._row(item)

  def _row(self, item):
    row = self.places.kinds.index(item)
    return self.cell.read[row:row + 1]

  def _check_moves(self, marker):
    """Of the marker, unless it leaves attention that is worked out, and of any item."""
    moves = {item: self.cell.shift(*self._step(item), self.cell.moves[1])
             for item in self.places.kinds}
    if self._opening:
      self.cell.check_opening(self._opening, moves.pop(1))
      self.cell.check_attention(*moves.values())
    else:
      self.cell.check_attention(marker, *moves.values())

  def rest(self, word):
    """A word after steps elsewhere."""
    return self.cell.leaked(word, self._marker, *self._writes.values())

  def left(self, word):
    """What lay there after the marker, where no item is put."""
    if self._opening:
      word = self._opened(word, self._opening.elsewhere)
    return self.rest(word)

  def _opened(self, word, share):
    """A word after the first item's step, that has such a share there."""
    return self.cell.written(word, self._writes[1].of_all(), share)

  def _under(self, item):
    """What an item is put on."""
    word = self.marked if self._on_marker(item) else self.nothing
    if not self._opening:
      return self.rest(word)
    if item == 1:
      return word
    share = self._opening.share(self.places.address(item)) if item else of(0.)
    return self.rest(self._opened(word, share))

  def put(self, item) -> Interval:
    """What is left of an item [P, W]."""
    weight = self._opening.weight if item == 1 and self._opening else None
    return self.rest(self.cell.written(self._under(item), self._writes[item], weight)[:, 0])

  def _on_marker(self, item):
    return item and item == self.places.on_marker

  def read(self, item, stored):
    """What an item's step reads [W]."""
    if item == 1 and self._opening:  # There is nothing yet but the marker's word.
      return self.cell.off(self.marked * self._opening.share(0))
    word = (self._under(item) if self.places.writes_first else
            hull(stored.marker, stored.items.over(0)))  # What the step before has put there.
    return self.cell.seen(word, stored.anything)
