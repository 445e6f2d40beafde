"""Where heads are, in whole numbers of addresses. Part of the checker, see there."""

import numpy as np

from maes_jax.certificates.attention import require


MOST_TIMES = 64  # That all items are asked about.


def words(bits: int) -> np.ndarray:
  """All words [2^D, D] in the order of the numbers that they write, highest bit first."""
  return (np.arange(2**bits)[:, None] >> np.arange(bits)[::-1] & 1).astype(np.float64)


def number(words: np.ndarray) -> np.ndarray:
  """Which row of `words` each of [..., D] is."""
  return words.astype(int) @ (1 << np.arange(words.shape[-1])[::-1])


class Places:
  """Item i of n lies at `first` + i `move`, the solver starts at start[0] n + start[1]."""

  def __init__(self, certificate):
    form, claim = certificate['form'], certificate['claim']
    self.item, self.slope_and_extra = claim['item'], certificate['addresses']
    self.solver_moves = certificate['solver']['moves']
    self.trail = certificate['solver']['attention']['trail']
    # How far the marker's kernel reaches, if the first items are gone through; else 0.
    self.opening = certificate['encoder']['opening']
    self.solver_opens = certificate['solver']['opening']  # If its first answer is gone through.
    marker_move, self.move = certificate['encoder']['moves']
    # Each of the two markers is a control bit.
    require(all(type(form[name]) is int and least <= form[name] <= most for name, least, most in
                (('bits', 1, 16), ('control_bits', 2, 2**10), ('width', 1, 2**20))),
            'words are too wide, or of fewer control bits than markers')
    require(form['line3'] in ('write_first', 'move_first') and
            claim['start'] in ('restart', 'handover'), 'it is of a cell that no proof is known for')
    self.writes_first = form['line3'] == 'write_first'
    self.marker = 0 if self.writes_first else marker_move
    self.first = marker_move - (self.move if self.writes_first else 0)
    self.times = claim.get('times', 1)
    self.handover = claim['start'] == 'handover'
    self.start = (self.move, marker_move) if self.handover else (0, 0)
    self.items = np.pad(words(form['bits']), ((0, 0), (form['control_bits'], 0)))  # [P, X]
    self.shown = self.items if claim['shown'] else self.items[:1]  # [A, X]
    self.markers = [np.eye(1, self.items.shape[1], which) for which in (0, 1)]

  def check(self):
    """Answer i is read where the item lies that it is about, and nothing wraps onto another."""
    of_n, of_i, constant = self.item
    marker_move, move = self.solver_moves
    require(self.move and move, 'a head does not move')
    # Else an answer would be about no item first, and its read word in no box.
    require((of_n == 0 and of_i > 0 and of_i + constant >= 1) or
            (of_n == 1 and of_i < 0 and of_i + constant <= 0), 'the first answer is about no item')
    require((self.start[0], move, self.start[1] + marker_move - move) ==
            (self.move * of_n, self.move * of_i, self.first + self.move * constant),
            'the solver does not look where the item lies')
    require(type(self.opening) is int and (self.writes_first or not self.opening),
            'the first items are gone through where they cannot be')
    # Each pass then writes once on each item, and on nothing else.
    once_each = [of_n, of_i, constant] == [0, 1, 0]
    require(type(self.times) is int and 1 <= self.times <= MOST_TIMES and (
        self.times == 1 or (once_each and self.writes_first and not self.handover and
                            len(self.shown) == 1 and not self.start_is_read_again)),
            'no proof is known for so many answers')
    require(type(self.solver_opens) is bool and not (self.solver_opens and self.handover),
            'the first answer is gone through where it cannot be')
    require(not (self.trail and self.handover) or marker_move * move >= 0, 'the solver turns round')
    slope, extra = self.slope_and_extra
    require(type(slope) is int and type(extra) is int, 'addresses are not counted')
    require(self.span(slope) < slope + extra, 'something wraps around')

  def span(self, slope) -> int:
    """The largest distance of two addresses that matter less slope (n - 1), for all n >= 1."""
    places = [(0, 0), (0, self.marker), (0, self.first + self.move), (self.move, self.first),
              self.start, *[(0, side * self.opening) for side in (-1, 1) if self.opening]]
    pairs = [(a - c, b - d) for a, b in places for c, d in places]
    require(all(of_n <= slope for of_n, _ in pairs), 'something wraps around')
    return max(of_n + constant for of_n, constant in pairs) + self.trail

  def address(self, item: int) -> int:
    """Where it lies, seen from where the encoder started."""
    return self.first + item * self.move

  @property
  def kinds(self) -> tuple[int, ...]:
    """0, all items but the first few, which follow by number; one on the marker's word is last."""
    near = [item for item in range(1, 2 * self.opening + 2)
            if self.opening and abs(self.address(item)) <= self.opening]
    last = max([self.on_marker, bool(self.opening), *near])
    return 0, *sorted(range(1, last + 1), key=lambda item: (item == self.on_marker, item))

  @property
  def apart(self) -> int:
    """How many words are gone through that are not put on the marker's."""
    return len(self.items) * (len(self.kinds) - bool(self.on_marker))

  @property
  def on_marker(self) -> int:
    """Which item does; 0: none."""
    return ((self.marker - self.first) // self.move
            if _meets(self.move, self.first, self.marker) else 0)

  @property
  def start_is_read_again(self) -> bool:
    marker_move, move = self.solver_moves
    return _meets(move, marker_move - move, 0)

  def at_start(self) -> tuple[bool, bool, bool]:
    """Where the solver starts, may there be nothing, the marker's word, an item's?"""
    slope, constant = self.start
    behind, rest = divmod(constant - self.first, self.move)  # It is item n + behind, or behind.
    marker = _meets(slope, constant, self.marker)
    item = rest == 0 and (behind <= 0 if slope else behind >= 1)
    nothing = not (slope == 0 and marker) and not (slope and item and behind == 0)
    return nothing, marker, item


def _meets(slope, constant, place) -> bool:
  """Whether slope n + constant is `place` for some n >= 1."""
  if slope == 0:
    return constant == place
  return (place - constant) % slope == 0 and (place - constant) // slope >= 1
