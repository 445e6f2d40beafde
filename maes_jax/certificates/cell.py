"""A MAES cell in intervals: Algorithm 1 for all words and all hidden states at once.

Leaves have the axes [A, P, ...]: what the cell is shown (A), and what the item was whose word it
reads (P). Part of the checker, see there.
"""

from typing import NamedTuple

import numpy as np

from maes_jax.certificates.attention import Attention
from maes_jax.certificates.attention import Imprecise
from maes_jax.certificates.attention import Opening
from maes_jax.certificates.attention import require
from maes_jax.certificates.attention import Shift
from maes_jax.certificates.intervals import affine
from maes_jax.certificates.intervals import exp
from maes_jax.certificates.intervals import hull
from maes_jax.certificates.intervals import Interval
from maes_jax.certificates.intervals import log
from maes_jax.certificates.intervals import of
from maes_jax.certificates.intervals import relu
from maes_jax.certificates.intervals import sigmoid
from maes_jax.certificates.intervals import softplus
from maes_jax.certificates.intervals import stack

MOST_PASTS = 2**9 + 1  # Of which words lead on from each, one by one; of more all at once.
MOST_BOXES = 2**20  # Of hidden states; where there would be more, pasts are taken all at once.
DEEPEST = 8


class Write(NamedTuple):
  """What steps write."""
  add: Interval  # [A, P, W]
  erase: Interval  # [A, P, W]

  def of_all(self) -> 'Write':
    """The same for any of them, leaves [W]."""
    return Write(*(leaf.over(0, 1) for leaf in self))


class Cell:
  """The layers of a cell, and what a certificate says of it."""

  def __init__(self, params, certificate, name):
    says, form, self.eta = certificate[name], certificate['form'], certificate['eta']
    self.layers = {layer: tuple(np.asarray(of_layer[part], np.float64) for part in
                                ('kernel', 'bias')) for layer, of_layer in params[name].items()}
    self.width, self.units = form['width'], len(self.layers['hidden'][1])
    self.reach = (len(self.layers['interface'][1]) - 2 * self.width - 2) // 2
    self.add_activation = form['add_activation']
    self.times = certificate['claim'].get('times', 1)
    self.moves, self.depth = says['moves'], says['depth']
    box = lambda bounds, size: Interval(*np.asarray(bounds, np.float64).reshape(2, size))
    # Of r_t [C, W], by what may lie under the head.
    self.read = Interval(*np.asarray(says['read'], np.float64).reshape(2, -1, self.width))
    self.hiddens = [box(bounds, self.units) for bounds in says['hidden']]  # of h_t [H]
    self.attention = Attention(says['attention'], self.eta, self.reach)
    self._check_form()

  def _check_form(self):
    """Nothing is meant but what is known here, and eta covers single precision."""
    require(set(self.layers) - {'output', 'output_hidden'} == {'hidden', 'interface'} and
            self.add_activation in ('sigmoid', 'linear') and
            len(self.layers['interface'][1]) == 2 * (self.width + self.reach + 1),
            'it is of a cell that no proof is known for')
    # A tap that is not there would be another number of the layer.
    require(all(type(move) is int and abs(move) <= self.reach for move in self.moves) and
            type(self.depth) is int and 0 <= self.depth <= DEEPEST, 'a head cannot move like this')
    require(all(self.rounding(layer) <= self.eta for layer in set(self.layers) - {'output'}) and
            # A word is off by a little more with every time that it is written on.
            self._largest_read().max() * 2.**-17 * max(1, self.times / 16) <= self.eta,
            f'single precision may be off by more than eta, {self.eta}', Imprecise)

  def hold_read(self, word: Interval):
    require(self.read.lo.shape == word.lo.shape and self.read.holds(word),
            'a word that is read leaves its box')

  def hold_hidden(self, state: int, hidden: Interval):
    require(self.hiddens[state].holds(hidden), 'a hidden state leaves its box')

  def rounding(self, layer) -> float:
    """By how much single precision is off: a sum of n products, and what goes into it."""
    return (len(self.layers[layer][0]) + 8) * 2.**-24 * float(self._sizes(layer).max())

  def _sizes(self, layer):
    """How much is added up for each number of a layer, whatever its sign."""
    kernel, bias = self.layers[layer]
    if layer == 'output' and 'output_hidden' in self.layers:
      into = self._sizes('output_hidden')
    else:
      into = np.append(np.ones(len(kernel) - self.width), self._largest_read())
    return into @ abs(kernel) + abs(bias)

  def _largest_read(self):
    return np.maximum(abs(self.read.lo), abs(self.read.hi)).max(0)

  def off(self, x: Interval, times=1.) -> Interval:
    """By eta."""
    return x + hull(-self.eta * times, self.eta * times)

  def parts(self, layer, x, h, r):
    """What x [A, X], h [Q, H] and r [P, W] add to a layer: [A, O], [Q, O], [P, O]."""
    of_x, of_h, of_r = self.split(layer)
    return affine(of(x), of_x, layer[1]), affine(h, of_h), affine(r, of_r)

  def split(self, layer):
    """A layer's kernel by what it is for: x, h and r."""
    inputs = len(layer[0]) - self.units - self.width
    return np.split(layer[0], [inputs, inputs + self.units])

  def layer(self, layer, x, h, r) -> Interval:
    """Its numbers [A, P, O], in whichever of the boxes [Q, H] h is."""
    of_x, of_h, of_r = self.parts(layer, x, h, r)
    return of_x[:, None] + of_h.over(0) + of_r

  def hidden(self, x, h, r) -> Interval:
    """Line 2: boxes of h_t [A, P, Q, H]."""
    of_x, of_h, of_r = self.parts(self.layers['hidden'], x, h, r)
    return sigmoid(self.off(of_x[:, None, None] + of_r[:, None] + of_h))

  def write(self, x, h, r) -> Write:
    """Line 2: a_t and e_t."""
    kernel, bias = (part[..., :2 * self.width] for part in self.layers['interface'])
    raw = self.off(self.layer((kernel, bias), x, h, r))
    add, erase = raw[..., :self.width], raw[..., self.width:]
    return Write(add if self.add_activation == 'linear' else sigmoid(add), sigmoid(erase))

  def shift(self, x, h, r, move) -> Shift:
    """Line 2: s_t and gamma_t. Softmax shift by shift: s(j) <= s(j) / s(move) = exp(difference)."""
    differences, gamma = self._kernel(x, h, r, move)
    shares = exp(differences)
    return Shift(self._on_side(shares, move, 1), self._on_side(shares, move, -1), gamma)

  def _kernel(self, x, h, r, move):
    """What goes into softmax for each shift, less that for a move, and gamma_t."""
    kernel, bias = (part[..., 2 * self.width:].copy() for part in self.layers['interface'])
    tap = self.reach + move
    kernel[:, :-1], bias[:-1] = kernel[:, :-1] - kernel[:, [tap]], bias[:-1] - bias[tap]
    raw = self.layer((kernel, bias), x, h, r)
    return self.off(raw[..., :-1], 2.), 1. + softplus(self.off(raw[..., -1]))

  def opening(self, x, h, r) -> Opening:
    """Lines 4 and 5 from one address alone: w_t(j) = s(j)^gamma / (s(-K)^gamma + ... + s(K)^gamma).

    For x [1, X], h [1, H] and any r [P, W].
    """
    sizes = []
    for shift in range(-self.reach, self.reach + 1):
      differences, gamma = self._kernel(x, h, r, shift)
      powers = exp(differences * gamma[..., None])[0]  # [P, 2 K + 1]
      others = [powers[:, tap] for tap in range(2 * self.reach + 1) if tap != self.reach + shift]
      sizes.append(sum(others, start=of(np.ones(len(r.lo)))).over(0))
    return Opening(exp(-log(stack(*(size[None] for size in sizes)))), self.moves[0], self.eta)

  def _on_side(self, shares, move, side) -> Interval:
    """The shares of all shifts beyond a move, as the head goes, or of all short of it."""
    side = side * np.sign(self.moves[1])
    those = [shares[..., self.reach + shift] for shift in range(-self.reach, self.reach + 1)
             if (shift - move) * side > 0]
    return sum(those, start=of(np.zeros(shares.lo.shape[:-1])))

  def logits(self, x, h, r) -> Interval:
    """Line 2: y_t [A, P, Y]."""
    if 'output_hidden' not in self.layers:
      return self.off(self.layer(self.layers['output'], x, h, r))
    units = relu(self.off(self.layer(self.layers['output_hidden'], x, h, r)))
    return self.off(affine(units, *self.layers['output']))

  def states(self, first, x, r, after) -> list[Interval]:
    """Lemma C: by state what holds every hidden state of a phase, boxes [Q, H].

    Args:
      first: [F, H] what the hidden state after the marker may be, in state 0.
      x: what may be shown [A, X].
      r: what may be read [P, W].
      after: [S, A, P] the state that follows each.
    """
    require(len(self.hiddens) == len(after) > after.max(), 'states are missing')
    self.hold_hidden(0, first.over(0))
    boxes = [box[None] for box in self.hiddens]
    of_first, *pasts = (
        self._past(box) for box in (first[None], *(box[None, None] for box in self.hiddens)))
    for depth in range(self.depth + 1):
      found = self._next(pasts, x, r, after)
      if depth == 0:
        for state, image in enumerate(found):
          if image.lo.size:  # Else no step leads there.
            self.hold_hidden(state, image.over(0, 1))
      else:  # The smaller, the more often.
        boxes = [image.rows() for image in found]
        pasts = [self._past(image) for image in found]
        boxes[0], pasts[0] = stack(first, boxes[0]), stack(of_first, pasts[0])
    return boxes

  def _past(self, image) -> Interval:
    """What the boxes [R, G, H] that R words led into add to the hidden layer, by word or in all."""
    _, of_h, _ = self.split(self.layers['hidden'])
    by_word = affine(image, of_h).over(1)
    return by_word if len(by_word.lo) <= MOST_PASTS else by_word.over(0)[None]

  def present(self, x, r):
    """What x [A, X] and r [P, W] add to the hidden layer: [A, H], [P, H]."""
    layer = self.layers['hidden']
    of_x, _, of_r = self.split(layer)
    return affine(of(x), of_x, layer[1]), affine(r, of_r)

  def _next(self, pasts, x, r, after):
    """By state the boxes [R, G, H] that a step leads into, of R words after G pasts."""
    present = self.present(x, r)
    return [_together([self._after(past, *present, after[before] == state)
                       for before, past in enumerate(pasts)]) for state in range(len(pasts))]

  def _after(self, past, of_x, of_r, leads) -> Interval:
    """Boxes [R, G, H] of the R pairs of words that lead there [A, P], after G pasts."""
    shown, read = np.nonzero(leads)
    if len(shown) * len(past.lo) > MOST_BOXES:
      past = past.over(0)[None]
    return sigmoid(self.off((of_x[shown] + of_r[read])[:, None] + past))

  def seen(self, word: Interval, elsewhere: Interval) -> Interval:
    """Line 1: what is read where `word` lies under the head, and anything elsewhere."""
    away = hull(0., self.attention.away)
    return self.off(word * self.attention.weight + hull(0., elsewhere) * away)

  def written(self, word: Interval, step: Write, weight: Interval | None = None) -> Interval:
    """Line 3, under the head or where attention is `weight`: M o (1 - e w) + a w."""
    weight = self.attention.weight if weight is None else weight
    return word * (1. - step.erase * weight) + step.add * weight

  def leaked(self, word: Interval, *steps: Write, passed=True, times: int = 1) -> Interval:
    """Lemma B: a word [..., W] after these steps, any number in each phase, the head elsewhere.

    What lies ahead of the head is not `passed` by its trail yet.
    """
    leak = hull(0., (self.attention.passing if passed else self.attention.leak) * float(times))
    added, erased = (hull(0., *parts) for parts in zip(*(step.of_all() for step in steps)))
    return word * (1. - erased * leak) + added * leak

  def check_opening(self, opening: Opening, first: Shift):
    self.attention.check([first], opening)

  def check_after(self, opening: Opening):
    self.attention.check_after(opening)

  def check_attention(self, *shifts: Shift):
    self.attention.check(shifts)


def _together(images):
  """Boxes [R, G, H] of several, one below the other."""
  most = np.arange(max(image.lo.shape[1] for image in images))  # Again and again, to be of one G.
  return stack(*(image[:, most % image.lo.shape[1]] for image in images))
