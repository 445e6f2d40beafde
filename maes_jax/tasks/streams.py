"""Streams of words: is this the word from before? And two tasks of the Neural Turing Machine.

N-back and delayed match to sample are classics of working memory that IBM's mi-prometheus and the
experiments behind it build on; repeat copy and associative recall are those of Graves, Wayne and
Danihelka, "Neural Turing Machines" (arXiv 1410.5401).
"""

import functools

import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import errors
from maes_jax import limits
from maes_jax import phases
from maes_jax.items import Bits
from maes_jax.phases import Phase
from maes_jax.phases import Program
from maes_jax.phases import Repeat
from maes_jax.tasks import episode
from maes_jax.tasks import relation

_BITS = 8
_CONTROL_BITS = 2


def n_back(name: str = 'n_back', lag: int = 2) -> episode.Task:
  """# x_1 ... x_lag $ x_(lag+1) ... x_n: is each word after $ the one `lag` words before it?

  `length` counts the words of the stream, and must be larger than `lag`. About half are.

  The encoder stores all words, one after the other. From $ on the solver, which begins at address
  0, is shown each word before the encoder is: it follows the encoder at a distance of `lag`, and
  both keep their place while the other is on duty. A model of one cell reads each word once.
  """
  lag = limits.size('lag', lag)
  return episode.Task(name, 1, functools.partial(_n_back, lag=lag), at_least=lag + 1)


def delayed_match(name: str = 'delayed_match') -> episode.Task:
  """# sample, n - 1 other words, $ probe: is the probe the sample? Half of them are.

  `length` counts the words before the probe. The encoder stores the sample; a cell `/delay` reads
  what comes then, and has to leave the memory alone; the solver begins at address 0.
  """
  return episode.Task(name, 1, _delayed_match)


def repeat_copy(name: str = 'repeat_copy', most: int = 10) -> episode.Task:
  """# x $ R: x, R times over without a pause, then an end bit. R is an item, in binary.

  `length` counts the words of x. The solver must return to the first word at once, which attention
  that only shifts cannot: MAES's has `head='jump'` here. A cell `/end`, which begins where the
  encoder ended, may mark the last word for it.
  """
  most = limits.size('most copies', most)
  if most >= 2 ** _BITS:
    raise errors.UserError(f'most copies: {most:,}; it must be at most {2 ** _BITS - 1}, to be '
                           f'shown in {_BITS} bits')
  return episode.Task(name, _BITS + 1, functools.partial(_repeat_copy, most=most))


def associative_recall(
    name: str = 'associative_recall', words: int = 3, bits: int = 6) -> episode.Task:
  """# item # item ... $ one of them $: the item that came after it; items are some words each.

  `length` counts items, 2 at least. Of items that are the same the first is meant. The solver has
  to find an item by what it is: attention that shifts alone cannot, `head='content'` can.
  """
  words = limits.size('words of an item', words)
  kind = Bits(bits)
  ask = functools.partial(_associative_recall, words=words)
  return episode.Task(name, bits, ask, items=kind, at_least=2,
                      stores=functools.partial(_with_markers, words=words))


def _with_markers(length, words):
  return length * (words + 1)


def _n_back(key, items, length, *, lag):
  size = len(items)
  keep = jax.random.bernoulli(key, jnp.float32(0.5), shape=(size,))
  words = items[_sources(keep, lag)] * phases.within(length, size)[:, None]
  first, later = words[:lag], episode.bare(words[lag:], _CONTROL_BITS)[:, None]
  there = jnp.arange(lag, size) < length
  same = jnp.all(words[lag:] == words[:size - lag], axis=1)
  shown = Phase(later, jnp.int32(there), jnp.float32(same & there)[:, None, None], there[:, None],
                cell=phases.SOLVER)
  return (
      Phase(episode.marked(first, episode.STORE, _CONTROL_BITS), jnp.int32(1 + lag)),
      Phase(episode.marked(items[:0], episode.RECALL, _CONTROL_BITS), jnp.int32(1),
            cell=phases.SOLVER),
      Repeat((shown, Phase(later, shown.steps, again=True))))


def _sources(keep, lag):
  """[L] whose word stands at i: that of i - lag if it is kept, else a new one of its own."""
  size = len(keep)
  place = jnp.arange(size, dtype=jnp.int32)
  new = jnp.pad(jnp.where(keep & (place >= lag), -1, place), (0, -size % lag), constant_values=-1)
  return lax.cummax(new.reshape(-1, lag), axis=0).ravel()[:size]


def _delayed_match(key, items, length):
  same_key, other_key = jax.random.split(key)
  same = jax.random.bernoulli(same_key, jnp.float32(0.5))
  probe = jnp.where(same, items[:1], relation.other_words(other_key, items[:1]))
  return delayed(items, probe, same, length)


def delayed(items: jax.Array, probe: jax.Array, same: jax.Array, length: jax.Array) -> Program:
  """# the first of the items [L, D], the others, $ the probe [1, D]: is it the same []?

  A cell `/delay` reads what comes in between.
  """
  at_probe = jnp.arange(2) == 1
  others = jnp.pad(items[1:], ((0, 1), (0, 0)))
  return (
      Phase(episode.marked(items[:1], episode.STORE, _CONTROL_BITS), jnp.int32(2)),
      Phase(episode.bare(others, _CONTROL_BITS), length - 1, cell='/delay'),
      Phase(episode.marked(probe, episode.RECALL, _CONTROL_BITS), jnp.int32(2),
            jnp.float32(same & at_probe)[:, None], at_probe, cell=phases.SOLVER,
            start=phases.RESTART))


def _repeat_copy(key, items, length, *, most):
  size = most * len(items) + 2  # R, all copies and the end.
  copies = jax.random.randint(key, (), 1, most + 1, jnp.int32)
  bits = jnp.float32(copies >> jnp.arange(_BITS, dtype=jnp.int32) & 1)
  slot = jnp.arange(size, dtype=jnp.int32) - 1
  due, end = (slot >= 0) & (slot < copies * length), slot == copies * length
  targets = jnp.where(due[:, None], items[slot % length], 0)
  targets = jnp.concatenate([targets, jnp.float32(end)[:, None]], axis=1)
  shown = jnp.zeros((size, items.shape[1]), jnp.float32).at[0].set(bits)
  question = episode.Question(shown, targets, due | end)
  program = episode.two_phases(items, length, question, 2 + copies * length, shared=True)
  return episode.marking_end(program, 2)


def _associative_recall(key, items, length, *, words):
  words_key, query_key = jax.random.split(key)
  size, bits = items.shape
  others = Bits(bits).draw(words_key, size * (words - 1)).reshape(size, words - 1, bits)
  all_words = jnp.concatenate([items[:, None], others], axis=1)
  stored = phases.present(
      Phase(episode.marked(all_words, episode.STORE, _CONTROL_BITS),
            jnp.full(size, 1 + words, jnp.int32)), phases.within(length, size))
  query = jax.random.randint(query_key, (), 0, length - 1, jnp.int32)
  first = jnp.argmax(jnp.all(all_words == all_words[query][None], axis=(1, 2)))  # Of the same ones.
  asked = episode.marked(all_words[query], episode.RECALL, _CONTROL_BITS)
  due = episode.marked(0 * all_words[query], episode.RECALL, _CONTROL_BITS)
  return (
      Repeat((stored,)),
      Phase(jnp.concatenate([asked, due]), jnp.int32(2 + 2 * words),
            jnp.pad(all_words[first + 1], ((2 + words, 0), (0, 0))),
            jnp.arange(2 + 2 * words) >= 2 + words, cell=phases.SOLVER, start=phases.RESTART))


TASKS = (n_back(), delayed_match(), repeat_copy(), associative_recall())
