"""What is to be proved of a task: which item each answer is about, and what the right answer is."""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from maes_jax import compilation
from maes_jax import errors
from maes_jax import phases
from maes_jax import tasks
from maes_jax.certificates import places
from maes_jax.certificates import seals
from maes_jax.items import Bits
from maes_jax.tasks import episode
from maes_jax.tasks import manipulation

WIDEST = 10  # Bits of a word: all pairs of words are gone through.
# Items of the episodes by which a claim is held against its task: many short ones, a few long.
_SHORT, _LONG = np.arange(2048) % 13 + 1, np.geomspace(14, 1000, 32).astype(int)


@dataclasses.dataclass(frozen=True)
class Claim:
  """What a solver is to answer, step by step.

  Attributes:
    item: (a, b, c): answer i of n is about item a n + b i + c, counted from 1.
    answer: (stored [..., D], shown [..., D]) -> right bits [..., Y], of NumPy arrays.
    shown: whether the solver is shown a word at each step; else it sees empty items.
    latched: an answer is one bit, and 0 once an earlier answer would have been: all so far.
    start: where the solver starts, `phases.RESTART` or `phases.HANDOVER`.
    times: how often all of it is asked at most, from the start again each time.
  """
  item: tuple[int, int, int]
  answer: Callable[[np.ndarray, np.ndarray], np.ndarray]
  shown: bool = False
  latched: bool = False
  start: str = phases.RESTART
  times: int = 1

  def right(self, stored: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The right answers [..., n, Y] about items [..., n, D] where such are shown [..., n, D].

    By the machine that a certificate is about, and not by `answer` again, which might see in a
    whole sequence what it cannot see in a pair of words.
    """
    right, after = _machine(self, stored.shape[-1])
    count = stored.shape[-2]
    about = np.clip(self.about(count), 0, count - 1)
    words, said = places.number(stored)[..., about], places.number(shown) * self.shown
    state, found = np.zeros(words.shape[:-1], int), []
    for i in range(count):
      pair = state, said[..., i], words[..., i]
      found.append(right[pair])
      state = after[pair]
    return np.stack(found, axis=-2)

  def about(self, count: int) -> np.ndarray:
    """The items, counted from 0, that answers 1 to n are about; out of range: none."""
    of_n, of_i, constant = self.item
    return of_n * count + of_i * np.arange(1, count + 1) + constant - 1

  def packed(self, bits: int) -> dict[str, Any]:
    """As a certificate holds it.

    Raises:
      UserError: answers that are latched are of several bits.
    """
    right, after = _machine(self, bits)
    again = {'times': self.times} if self.times > 1 else {}
    return {'item': list(self.item), 'start': self.start, 'shown': self.shown, **again,
            'right': seals.packed(right), 'after': seals.packed(after)}


@functools.lru_cache(maxsize=16)
def _machine(claim, bits):
  """By state, word shown and word stored the right bits [S, A, P, Y] and the next state [S, A, P].
  """
  words = places.words(bits)
  shown = words if claim.shown else words[:1]
  right = claim.answer(words[None, :], shown[:, None]).astype(bool)
  right = np.broadcast_to(right, (len(shown), len(words), right.shape[-1]))
  if not claim.latched:
    return right[None], np.zeros((1, *right.shape[:2]), int)
  if right.shape[-1] != 1:
    raise errors.UserError(f'a claim is latched whose answers have {right.shape[-1]} bits; latch '
                           'answers of one bit')
  rights = np.stack([right, np.zeros_like(right)])
  return rights, 1 - rights[..., 0].astype(int)


def _stored(stored, shown):
  del shown
  return stored


def _inverted(stored, shown):
  del shown
  return 1 - stored


def _rotated(stored, shown):
  """By half of their bits."""
  del shown
  return np.roll(stored, manipulation.places(.5, stored.shape[-1]), axis=-1)


def _equal(stored, shown):
  return np.all(stored == shown, axis=-1, keepdims=True)


CLAIMS: dict[str, Claim] = {
    'serial_recall': Claim((0, 1, 0), _stored),
    'reverse_recall': Claim((1, -1, 1), _stored, start=phases.HANDOVER),
    'odd_recall': Claim((0, 2, -1), _stored),
    'sequence_comparison': Claim((0, 1, 0), _equal, shown=True),
    # Whether whole sequences are equal is asked at the end; any step may be it.
    'sequence_equality': Claim((0, 1, 0), _equal, shown=True, latched=True),
    'hard_equality': Claim((0, 1, 0), _equal, shown=True, latched=True),
    'prefix_equality': Claim((0, 1, 0), _equal, shown=True, latched=True),
    'repeat_serial': Claim((0, 1, 0), _stored, times=5),
    'skip_recall': Claim((0, 2, -1), _stored),
    'spatial_not': Claim((0, 1, 0), _inverted),
    'spatial_rotation': Claim((0, 1, 0), _rotated),
    'sequence_symmetry': Claim((1, -1, 1), _equal, shown=True, latched=True, start=phases.HANDOVER),
}


def register(task: str, claim: Claim):
  """Makes a claim about one's own task known.

  Raises:
    UserError: there is one already.
  """
  errors.add('claim about task', task, claim, CLAIMS)


def get(task: tasks.Task) -> Claim:
  """The claim about a task, held against what the task asks.

  Raises:
    UserError: there is none, its items are no words of few bits, or the task asks something else.
  """
  if task.name not in CLAIMS:
    raise errors.UserError(
        f'nothing is claimed about task {task.name!r}; say by certificates.claims.register which '
        f'item each answer is about; known are {", ".join(sorted(CLAIMS))}')
  claim = CLAIMS[task.name]
  for kind in (task.items, task.answers):
    if type(kind) is not Bits or kind.width > WIDEST:  # Others may find other answers right.
      raise errors.UserError(f'task {task.name!r} is about {kind}; a certificate goes through all '
                             f'words, which must be Bits of at most {WIDEST}')
  _try_out(task, claim)
  return claim


@functools.lru_cache(maxsize=64)
def _try_out(task, claim):
  for lengths in _SHORT, _LONG:
    _try_out_at(task, claim, np.maximum(lengths, task.at_least))


def _try_out_at(task, claim, lengths):
  keys = jax.random.split(jax.random.key(lengths[0]), len(lengths))
  longest = int(lengths.max())
  sample = compilation.jit(lambda *batch: tasks.sample_batch(task, *batch, longest))
  episodes = jax.device_get(sample(keys, lengths))
  for i, length in enumerate(lengths):
    if not _as_claimed(task, claim, jax.tree.map(lambda leaf, i=i: leaf[i], episodes.program),
                       length):
      raise errors.UserError(f'task {task.name!r} asks something else than the claim about it '
                             f'says, e.g. about {length} items; mend the claim, or give the task '
                             'another name')


def _as_claimed(task, claim, program, count):
  parts = [phases.of(part) for part in program]
  if [len(part) for part in parts] != [1, 1] or isinstance(program[0], phases.Repeat):
    return False
  stored, *rounds = phases.in_time(program)
  there = [asked for asked in rounds if asked.steps]
  return 1 <= len(there) <= claim.times and all(
      _question_as_claimed(task, claim, stored, asked, count) for asked in there)


def _question_as_claimed(task, claim, stored, asked, count):
  steps = slice(1, 1 + count)
  items, shown = (phase.inputs[steps, task.all_control_bits:] for phase in (stored, asked))
  if (stored.cell, asked.cell) != (phases.ENCODER, phases.SOLVER) or len(shown) != count:
    return False
  markers = [np.eye(1, task.inputs, which)[0] for which in (episode.STORE, episode.RECALL)]
  marked = all(np.array_equal(phase.inputs[0], marker) and phase.steps == 1 + count and
               not phase.inputs[1:, :task.all_control_bits].any()
               for phase, marker in zip((stored, asked), markers))
  counts, about = asked.mask[steps], claim.about(count)[asked.mask[steps]]
  return (marked and asked.start == claim.start and asked.mask.sum() == counts.sum() and
          np.isin([items, shown], (0, 1)).all() and (claim.shown or not shown.any()) and
          bool(np.all((about >= 0) & (about < count))) and
          np.array_equal(claim.right(items, shown)[counts], asked.targets[steps][counts] > .5))
