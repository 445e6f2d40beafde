"""Searches for a sequence that a model gets wrong: any model, on a task with a claim about it.

Short sequences are tried first, all there are where there are few; then random ones, regular ones,
and such that the gradient of the smallest margin leads to, or the words that make it smallest.
"""

from collections.abc import Callable, Iterator, Mapping
import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import encoder_solver
from maes_jax import phases
from maes_jax import tasks
from maes_jax.certificates import claims
from maes_jax.certificates import places
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params

LENGTHS = (1, 2, 3, 4, 5, 6, 8, 11, 16, 23, 32, 64, 128, 256, 1000)
_PADDED = {8: 256, 64: 256, LENGTHS[-1]: 64}  # To these lengths, so many sequences at a time.
_ROUNDS = 8  # Of a search along the gradient.
_BY_WORD = {2: 256, 3: 32, 4: 32}  # By length, how many times `effort` a search by word tries.
_NEAREST, _TURNS = 16, 3  # How many of a draw it goes on with, and how often through their words.


class Sequences(NamedTuple):
  """B sequences of n items."""
  items: np.ndarray  # [B, n, D]
  shown: np.ndarray  # [B, n, D] what the solver is shown, zeros where the task shows nothing


@dataclasses.dataclass(frozen=True)
class Witness:
  """A sequence that the model, run as usual, gets wrong.

  Attributes:
    items: [n, D].
    shown: [n, D].
    logits: [R n, Y] of all R times that it is asked.
    right: [R n, Y] the right bits.
    asked: [R n] whether an answer counts.
    addresses: N.
  """
  items: np.ndarray
  shown: np.ndarray
  logits: np.ndarray
  right: np.ndarray
  asked: np.ndarray
  addresses: int

  @property
  def wrong(self) -> np.ndarray:
    """[R n, Y]"""
    return _wrong(self.logits, self.right) & self.asked[:, None]

  def to_json(self) -> dict[str, Any]:
    return {'items': _words(self.items), 'shown': _words(self.shown), 'right': _words(self.right),
            'answered': _words(self.logits > 0), 'asked': self.asked.tolist(),
            'addresses': self.addresses}

  @property
  def first_error(self) -> str:
    """A line: the items, and the first answer that is wrong."""
    which = int(np.argmax(self.wrong.any(1)))
    time, step = divmod(which, len(self.items))
    shown = f', shown {_words(self.shown)[step]},' if np.any(self.shown) else ''
    again = f' when asked for time {time + 1}' if time else ''
    answered, right = (_words(bits)[which] for bits in (self.logits > 0, self.right))
    return (f'of {_some(_words(self.items))} in {self.addresses} addresses, answer {step + 1}'
            f'{shown} is {answered}{again} and should be {right}')


def _wrong(logits, right):
  """A logit is on the other side of 0, or no number."""
  return ~np.where(right, logits > 0, logits <= 0)


def _words(bits) -> list[str]:
  return [''.join(map(str, row)) for row in np.asarray(bits, int)]


def _some(words, most=8) -> str:
  more = f' ... ({len(words):,} items)' if len(words) > most else ''
  return ' '.join(words[:most]) + more


def witness(said: Mapping[str, Any]) -> Sequences:
  """The sequence of `Witness.to_json`."""
  bits = lambda name: np.array([[[float(bit) for bit in word] for word in said[name]]])
  found = Sequences(bits('items'), bits('shown'))
  if not all(np.isin(part, (0, 1)).all() for part in found):
    raise ValueError('its words are not of bits')
  return found


class Search(NamedTuple):
  """What came of a search."""
  witness: Witness | None
  tried: int  # Sequences of which an answer was looked at.


def ample(model: Model, task: str, count: int) -> int:
  """So much room for `count` items that it is not for lack of memory that a model is wrong.

  However far its heads go in a step, encoder and solver do not come round.
  """
  return sum(max(1, model.cell(name).reach or 1) for name in (phases.ENCODER, task)) * (
      count + 1) + 14


@dataclasses.dataclass(frozen=True)
class Falsifier:
  """Searches models of one kind; a few compiled programs serve all of them.

  Attributes:
    model: the kind of model.
    task: what it is asked.
    claim: what is right.
    addresses: N by the length that sequences are padded to; by default what is `ample`.
  """
  model: Model
  task: tasks.Task
  claim: claims.Claim
  addresses: Callable[[int], int] | None = None

  def wrong(self, params: Params, sequences: Sequences) -> Witness | None:
    """The first of these sequences that is answered wrong, if any."""
    addresses = self._addresses(_padded(sequences.items.shape[1])[0])
    for items, shown, logits, right, asked in self._answered(params, sequences):
      wrong = (_wrong(logits, right) & asked[..., None]).any((1, 2))
      if wrong.any():
        i = int(wrong.argmax())
        return Witness(items[i], shown[i], logits[i], right[i], asked, addresses)
    return None

  def _addresses(self, length):
    return (self.addresses or functools.partial(ample, self.model, self.task.name))(length)

  def margins(self, params: Params, sequences: Sequences) -> np.ndarray:
    """How far the nearest logit of each is on its right side [B]; negative where one is wrong."""
    return np.concatenate([
        np.where(asked[..., None], np.where(right, logits, -logits), np.inf).min((1, 2))
        for _, _, logits, right, asked in self._answered(params, sequences)])

  def _answered(self, params, sequences):
    """Some at a time, as `Witness` has them: items, shown, logits, right bits, what is asked."""
    _, size = _padded(sequences.items.shape[1])
    for begin in range(0, len(sequences.items), size):
      some = [part[begin:begin + size] for part in sequences]
      right, asked = self._truth(*some)
      logits = self._compute(False, params, *some, right, asked)
      yield (*some, logits.reshape(len(logits), -1, logits.shape[-1]),
             np.tile(right, (1, len(asked), 1)), asked.ravel())

  def search(self, params: Params, effort: int = 1000, seed: int = 0,
             longest: int = LENGTHS[-1]) -> Search:
    """The shortest sequence found that is answered wrong, if any.

    Args:
      params: of the model.
      effort: about how many sequences are tried at each length.
      seed: of the random ones.
      longest: n.
    """
    random, tried = np.random.default_rng(seed), 0
    for sequences in self._candidates(params, random, effort, longest):
      tried += len(sequences.items)
      witness = self.wrong(params, sequences)
      if witness:
        return Search(self._shortened(params, witness), tried)
    return Search(None, tried)

  def _candidates(self, params, random, effort, longest) -> Iterator[Sequences]:
    for length in dict.fromkeys(max(length, self.task.at_least) for length in LENGTHS):
      if length > longest:
        return
      if not self._asked(length).any():
        continue
      everything = self._everything(length, effort)
      if everything is not None:
        yield everything
        continue
      count = max(effort // max(1, length // 16), 16)
      drawn = self._drawn(random, count, length)
      yield drawn
      yield self._regular(random, length)
      if length <= 64:
        yield from self._led(params, drawn)
      yield from self._by_word(params, random, length, _BY_WORD.get(length, 0) * effort)

  def _everything(self, length, effort) -> Sequences | None:
    """All sequences of a length, if they are few enough."""
    words = places.words(self.task.items.width)
    if self.claim.shown:
      if length > 1:
        return None
      return Sequences(np.repeat(words, len(words), axis=0)[:, None],
                       np.tile(words, (len(words), 1))[:, None])
    if length > 1 and len(words)**length > 16 * effort:
      return None
    grid = np.stack(np.meshgrid(*[np.arange(len(words))] * length, indexing='ij'), -1)
    items = words[grid.reshape(-1, length)]
    return Sequences(items, np.zeros_like(items))

  def _drawn(self, random, count, length) -> Sequences:
    items = random.integers(0, 2, (count, length, self.task.items.width)).astype(float)
    return Sequences(items, self._shown(random, items))

  def _shown(self, random, items):
    """What may be shown: half of the words as they are, half changed in a bit, or just one."""
    if not self.claim.shown:
      return np.zeros_like(items)
    flips = np.eye(items.shape[-1])[random.integers(0, items.shape[-1], items.shape[:2])]
    share = random.choice([0., .5, 1.], len(items))[:, None]
    often = random.random(items.shape[:2]) < share
    once = np.arange(items.shape[1]) == random.integers(0, items.shape[1], len(items))[:, None]
    changed = np.where(random.random(len(items))[:, None] < .5, often, once)
    return np.abs(items - flips * changed[..., None])

  def _regular(self, random, length) -> Sequences:
    """Words again and again, two in turn, and one that is unlike all others."""
    words = places.words(self.task.items.width)
    pick = lambda: words[random.integers(0, len(words), 128)]
    one, other, step = pick()[:, None], pick()[:, None], np.arange(length)[None, :, None]
    same = one + 0 * step
    items = np.concatenate([same, np.where(step % 2, one, other),
                            np.where(step == length - 1, other, one),
                            np.where(step == 0, other, one)])
    return Sequences(items, self._shown(random, items))

  def _led(self, params, sequences) -> Iterator[Sequences]:
    """Flips the bits whose flipping is to lessen the smallest margin of a sequence the most."""
    items, shown = (np.array(part[:256]) for part in sequences)
    for _ in range(_ROUNDS):
      slopes = self._compute(True, params, items, shown, *self._truth(items, shown))
      for which, slope in zip((items, shown)[:1 + self.claim.shown], slopes):
        gain = np.where(which > .5, slope, -slope).reshape(len(which), -1)
        best = gain.argmax(1)
        better = gain[np.arange(len(which)), best] > 0
        flat = which.reshape(len(which), -1)
        flat[better, best[better]] = 1 - flat[better, best[better]]
      yield Sequences(items.copy(), shown.copy())

  def _by_word(self, params, random, length, budget) -> Iterator[Sequences]:
    """Puts each word there is in the place of one, of those whose margin is smallest."""
    words = places.words(self.task.items.width)
    of_each = _NEAREST * len(words)
    turns = [(which, place) for which in range(1 + self.claim.shown) for place in range(length)]
    for _ in range(budget // (of_each * len(turns) * _TURNS)):
      near = self._nearest(params, self._drawn(random, 256, length))
      for which, place in turns * _TURNS:
        tried = Sequences(*(np.repeat(part, len(words), axis=0) for part in near))
        tried[which][:, place] = np.tile(words, (len(near.items), 1))
        yield tried
        near = self._nearest(params, tried, len(words))

  def _nearest(self, params, sequences, of_each=0) -> Sequences:
    """Those of the smallest margins; or of so many each the one that has it."""
    margins = self.margins(params, sequences)
    best = (margins.reshape(-1, of_each).argmin(1) + of_each * np.arange(len(margins) // of_each)
            if of_each else np.argsort(margins)[:_NEAREST])
    return Sequences(*(part[best] for part in sequences))

  def _shortened(self, params, witness) -> Witness:
    """Leaves items out as long as it stays wrong."""
    while len(witness.items) > self.task.at_least:
      keep = ~np.eye(len(witness.items), dtype=bool)[:64]
      shorter = Sequences(*(np.stack([part[row] for row in keep])
                            for part in (witness.items, witness.shown)))
      found = self.wrong(params, shorter)
      if not found:
        break
      witness = found
    return witness

  def _truth(self, items, shown):
    """Right bits [B, n, Y], and which answers are asked each time [R, n]."""
    return self.claim.right(items, shown), self._asked(items.shape[1])

  def _asked(self, count):
    return _asked(self.task, count, _padded(count)[0])

  def _compute(self, downhill, params, items, shown, right, asked):
    """Of sequences the logits [B, R, n, Y], or what their margins do downhill [B, n, D]."""
    count = items.shape[1]
    length, size = _padded(count)
    padding = 0, length - count
    pad = lambda part: np.pad(part, ((0, size - len(items)), padding, (0, 0)))
    run = _compiled(self.model, self.task, self.claim.start, self._addresses(length), downhill)
    found = jax.device_get(run(params, np.int32(count), *map(pad, (items, shown, right)),
                               np.pad(asked, ((0, 0), padding))))
    return jax.tree.map(lambda part: part[:len(items), ..., :count, :], found)


def _padded(length):
  """What sequences of a length are padded to, and how many go at a time."""
  return next(((most, size) for most, size in _PADDED.items() if length <= most), (length, 1))


_EPISODES = 64  # Of a task, by which it is known what it asks about.


@functools.lru_cache(maxsize=256)
def _asked(task, count, length):
  """[R, n] which of n answers a task always asks for, each time that it may ask.

  `length` is what sequences are padded to. What depends on the words is nothing to find an error
  by: the task may not ask for it where it is wrong.
  """
  there, masks = map(np.asarray, _masks(task, length)(np.int32(count)))
  masks = masks | ~there[..., None]
  return masks.all(0)[there.any(0), 1:1 + count]


@functools.lru_cache(maxsize=16)
def _masks(task, length):
  """Compiled, from n: of _EPISODES each answering phase, whether it is there [E, R], and what
  counts in it [E, R, 1 + L]."""
  keys = jax.random.split(jax.random.key(0), _EPISODES)

  def masks(count):
    _, part = tasks.sample_batch(task, keys, jnp.full(_EPISODES, count), length).program
    phase, = phases.of(part)
    return ((phase.steps > 0).reshape(_EPISODES, -1),
            phase.mask.reshape(_EPISODES, -1, phase.mask.shape[-1]))
  return jax.jit(masks)


@functools.lru_cache(maxsize=16)
def _compiled(model, task, start, addresses, downhill):
  """Of a batch, padded, the logits [B, R, L, Y], or the slopes of the smallest margin [B, L, D]."""
  def answer(params, count, items, shown, unused_right, asked):
    nothing = jnp.zeros((len(items), task.outputs)), jnp.ones(len(items), bool)
    store, once = task.pose(items, count, tasks.Question(shown, *nothing, start), count)
    rounds = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(asked), *leaf.shape)), once)
    episodes = {task.name: tasks.Episode((store, phases.Repeat((rounds,))), count)}
    logits = model.answer(params, episodes, addresses, encoder_solver.skipping)[task.name]
    return logits.reshape(len(asked), -1, task.outputs)[:, 1:]

  def smallest_margin(what, params, count, right, asked):
    margins = jnp.where(right, 1, -1)[None] * answer(params, count, *what, right, asked)
    return jnp.where(asked[..., None], margins, jnp.inf).min()

  def slope(params, count, items, shown, right, asked):
    return jax.grad(smallest_margin)((items, shown), params, count, right, asked)
  return jax.jit(jax.vmap(slope if downhill else answer, (None, None, 0, 0, 0, None)))
