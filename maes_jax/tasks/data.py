"""Tasks from data of one's own: examples are drawn from arrays instead of being made.

An example is a sequence of items, what the solver is shown and what it must answer. Part of the
examples is held out: training draws from the others alone, and whatever measures from these alone.
The arrays are constants of the programs that draw from them: see `MOST`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
import dataclasses
import functools
import hashlib
import itertools
import logging
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import errors
from maes_jax import limits
from maes_jax import machine
from maes_jax import phases
from maes_jax.items import Bits
from maes_jax.items import Items
from maes_jax.tasks import checks
from maes_jax.tasks import episode
from maes_jax.tasks import values

MOST = 2**29  # Bytes of a task's arrays: each program that draws from them is as large, too.


class Ragged(NamedTuple):
  """Arrays of mixed lengths, one after the other."""
  rows: np.ndarray  # [sum of lengths, ...]
  starts: np.ndarray  # [E]
  lengths: np.ndarray  # [E]

  def padded(self, index: chex.Array, size: int) -> chex.Array:
    """One of them [size, ...], with zeros at the end; at most `size` rows are seen."""
    positions = jnp.arange(size, dtype=jnp.int32)
    rows = jnp.take(self.rows, jnp.asarray(self.starts)[index] + positions, axis=0, mode='clip')
    valid = positions < jnp.asarray(self.lengths)[index]
    return jnp.where(valid.reshape(-1, *[1] * (rows.ndim - 1)), rows, jnp.zeros_like(rows))


class Examples(NamedTuple):
  """Examples of one part of the data, the shortest first."""
  sequences: Ragged
  targets: Ragged
  aux: Ragged | None


def _asks_nothing(unused_key, unused_items, unused_length):
  raise errors.UserError('a task from arrays asks what its examples do; draw one by tasks.sample')


@dataclasses.dataclass(frozen=True)
class DataTask(episode.Task):
  """A task whose episodes are examples; see `from_arrays`.

  Attributes:
    start: where the solver starts, one of `phases.STARTS`.
    at_end: one answer a sequence, at the last step.
    counted: of which of an `Examples`' parts the solver has a step for each.
    digest: tells its examples, and what is asked about them, from others.
    parts: the examples by split.
  """
  ask: episode.Ask = _asks_nothing
  start: str = phases.RESTART
  at_end: bool = False
  counted: str = 'sequences'
  digest: str = ''
  parts: dict[str, Examples] = dataclasses.field(
      default_factory=dict, compare=False, repr=False)

  @property
  def shortest(self) -> int:
    return max(int(part.sequences.lengths[0]) for part in self.parts.values())

  def check_tested(self, length: int | None, max_length: int):
    """As of any task; without a length a test is of all examples."""
    if length is None:
      return
    super().check_tested(length, max_length)
    if not self.tested(length, length):
      lengths = self.parts[episode.HELD_OUT].sequences.lengths
      nearest = lengths[np.abs(lengths - length).argmin()]
      raise errors.UserError(
          f'length is {length:,} and task {self.name!r} has no held-out example of so many items; '
          f'use one that some have, the nearest is {nearest:,}, or None for all of them')

  def tested(self, length: int | None, max_length: int) -> range:
    """Numbers, the shortest first, of the held-out examples that a test goes through.

    Those of `length` items; without one all that have `max_length` or fewer.
    """
    shortest, longest = (1, max_length) if length is None else (length, length)
    lengths = self.parts[episode.HELD_OUT].sequences.lengths
    return range(*map(int, np.searchsorted(lengths, [shortest, longest + 1])))

  def trials(self, length: int | None, max_length: int, batch_size: int, seed: int,
             ) -> Iterator[chex.Array]:
    """Numbers of `tested`, each once, in an order of the seed's; -1 at the end for none."""
    numbers = np.random.default_rng(int(seed)).permutation(self.tested(length, max_length))
    for first in range(0, len(numbers), batch_size):
      batch = numbers[first:first + batch_size].astype(np.int32)
      yield np.pad(batch, (0, batch_size - len(batch)), constant_values=-1)

  @episode.plainly
  def trial(self, drawn: chex.Array, length: chex.Array, max_length: int) -> episode.Episode:
    """The held-out example of a number of `trials`; of -1 one of which nothing is asked."""
    del length
    found = self._episode(self.parts[episode.HELD_OUT], jnp.maximum(drawn, 0), max_length)
    store, answer = found.program
    answer = dataclasses.replace(answer, mask=answer.mask & (drawn >= 0))
    return found._replace(program=(store, answer))

  def longest(self, split: str) -> int:
    return int(self.parts[split].sequences.lengths[-1])

  @functools.cached_property
  def slots(self) -> int | None:
    """The most steps that a solver has; None: as many as there are items."""
    if self.counted == 'sequences':
      return None
    return max(int(getattr(part, self.counted).lengths.max()) for part in self.parts.values())

  @property
  def shows(self) -> bool:
    return self.counted == 'aux'

  def steps(self, length: int) -> int | None:
    """Where its examples have other numbers of answers than of items, the most of any of them."""
    return {'sequences': length, 'targets': self.slots}.get(self.counted)

  def about(self, items, length, aux, slots):
    targets = jnp.zeros((len(aux), self.outputs), jnp.float32)
    return self._posed(items, length, aux, slots, targets)

  def draw(
      self, key: chex.PRNGKey, length: chex.Array, max_length: int, split: str,
  ) -> episode.Episode:
    """Draws one of the examples of `length` items or fewer, each as likely as any other.

    Where none is so short, one of the shortest.

    Raises:
      UserError: none fits into `max_length`.
    """
    part = self.parts[split]
    lengths = part.sequences.lengths
    if max_length < lengths[0]:
      raise errors.UserError(f'task {self.name!r} has no sequence of {max_length:,} items or '
                             f'fewer; use a length of at least {self.shortest:,}')
    count = jnp.searchsorted(jnp.asarray(lengths), jnp.maximum(length, lengths[0]), side='right')
    return self._episode(part, jax.random.randint(key, (), 0, count, jnp.int32), max_length)

  def _episode(self, part, index, max_length):
    """An example as an encoder and then a solver go through it."""
    length = jnp.asarray(part.sequences.lengths)[index]
    size = self.slots or max_length
    items = values.read(self.items, part.sequences.padded(index, max_length))
    aux = (values.read(self.items, part.aux.padded(index, size)) if part.aux else
           jnp.zeros((size, self.items.width), jnp.float32))
    targets = values.read(self.answers, part.targets.padded(index, 1 if self.at_end else size))
    slots = jnp.asarray(getattr(part, self.counted).lengths)[index]
    return episode.Episode(self._posed(items, length, aux, slots, targets), length)

  def _posed(self, items, length, aux, slots, targets):
    mask = phases.within(slots, len(aux))
    if self.at_end:  # Of these the last.
      mask &= ~phases.within(slots - 1, len(aux))
    targets = jnp.broadcast_to(targets, (len(aux), self.outputs))
    return self.pose(items, length, episode.Question(aux, targets, mask, self.start), slots)


def from_arrays(
    name: str,
    sequences: Any,
    targets: Any,
    *,
    aux: Any = None,
    lengths: Sequence[int] | None = None,
    items: Items | None = None,
    answers: Items | None = None,
    validation: float | Sequence[int] = 0.1,
    start: str = phases.RESTART,
    seed: int = 0,
) -> DataTask:
  """A task from arrays of examples, to be registered as any other.

  >>> words = [np.eye(4)[:3], np.eye(4)[:2], np.eye(4)]
  >>> task = from_arrays('mine', words, [word[::-1] for word in words], items=Bits(4))
  >>> task.outputs, sum(len(part.sequences.lengths) for part in task.parts.values())
  (4, 3)

  The encoder reads a marker and a sequence. The solver reads another marker and then
    * the auxiliary sequence, if there is one; else as many empty items as it has answers to give,
    * or, where one answer a sequence is asked for, as many as the sequence has.

  Args:
    name: by which it will be known.
    sequences: E examples, arrays [n, D] of any lengths n; of tokens, [n] whole numbers.
    targets: what must be answered, in one of two forms. An answer a step: by example an array
      [m, Y] of any length m or, with `aux`, of its length. One answer a sequence: [E, Y]; it counts
      at the last step. Of tokens, [m] or [E] whole numbers, e.g. classes.
    aux: by example an auxiliary sequence [m, D] of any length m.
    lengths: n of every example, if all arrays above but those of one answer a sequence are padded
      to [E, L, ...]; the padding is never looked at.
    items: what is stored; by default words of D bits.
    answers: what an answer is; by default words of Y bits.
    validation: which examples are held out: a share of those that differ, drawn at random, so that
      no example is on both sides, or their numbers. Of these some may be on both sides, which a
      warning counts.
    start: where the solver starts, one of `phases.STARTS`.
    seed: of the draw.

  Raises:
    UserError: an array of another shape, an empty one, no kind of item, numbers that are not finite
      or not of the items' kind, no examples for one of the parts, all of them the same, or more
      than `MOST`.
  """
  for what, kind in (('items', items), ('answers', answers)):
    if kind is not None:
      checks.kind(name, what, kind)
  read = _Reader(name, lengths)
  sequences, items = read.all('sequences', sequences, items)
  targets = read.each('targets', targets)
  at_end = read.one_answer(targets, answers)
  targets, answers = read.all('targets', targets, answers, at_end)
  shown = None if aux is None else read.all('aux', aux, items)[0]
  read.check_counts(sequences=sequences, targets=targets, aux=shown, lengths=read.lengths)
  if shown is not None and not at_end:
    read.check_steps(shown, targets)
  arrays = sequences, targets, shown
  held_out = read.held_out(validation, _alike(arrays), seed)
  parts = {episode.TRAINING: _examples(arrays, ~held_out),
           episode.HELD_OUT: _examples(arrays, held_out)}
  read.check_size(parts)
  checks.start(name, start)
  return DataTask(
      name, answers.outputs, items=items, answers=answers, start=start, at_end=at_end,
      counted=_counted(arrays, at_end), parts=parts,
      digest=f'{_digest(parts)} {_form(items)} {_form(answers)} {start} at_end={at_end}')


def _counted(arrays, at_end):
  sequences, targets, aux = (found and [len(one) for one in found] for found in arrays)
  if aux:
    return 'aux'
  return 'sequences' if at_end or targets == sequences else 'targets'


def from_iterator(name: str, examples: Iterable, count: int, **options: Any) -> DataTask:
  """`from_arrays` with the first `count` examples of an iterator, or as many as there are.

  They are read here and now, into the memory; an iterator without an end is therefore as good as
  any, and so is one that gives the same arrays again with other numbers in them. To train on
  others, make another task.

  Args:
    name: by which it will be known.
    examples: each a tuple (sequence, targets) or (sequence, targets, aux), as in `from_arrays`.
    count: how many to read.
    **options: of `from_arrays`, but for `aux` and `lengths`.
  """
  limits.check(count=count)
  errors.of_type(f'task {name!r}: examples are', examples, Iterable, 'tuples (sequence, targets)')
  read = [_held(one) for one in itertools.islice(examples, count)]
  sizes = {len(one) if isinstance(one, tuple) else 0 for one in read}
  if len(sizes) > 1 or not sizes <= {2, 3}:
    raise errors.UserError(f'task {name!r}: the iterator gives examples of {sorted(sizes)} parts; '
                           'give tuples (sequence, targets) or (sequence, targets, aux) throughout')
  sequences, targets, *aux = zip(*read, strict=True) if read else ((), ())
  return from_arrays(name, sequences, targets, aux=aux[0] if aux else None, **options)


def _held(example):
  """An example as it is now; what is no tuple stays what it is."""
  return tuple(map(values.copied, example)) if isinstance(example, tuple) else example


class _Reader:
  """Reads the arguments of `from_arrays`; its errors name the task."""

  def __init__(self, name, lengths):
    self._who = f'task {errors.shortened(name)}'
    self.lengths = None if lengths is None else values.array(lengths, f'{self._who}: lengths')
    if self.lengths is not None and (
        self.lengths.ndim != 1 or self.lengths.dtype.kind not in 'iu'):
      raise errors.UserError(f'{self._who}: lengths are {errors.shortened(lengths)}; give a whole '
                             'number for each example')

  def all(self, what, arrays, kind, one=False):
    """A list of arrays of a kind, by default bits, and the kind."""
    found = []
    for i, given in enumerate(self.each(what, arrays)):
      said = f'{self._who}: {what}[{i}]'
      array = values.array(given, said)
      if kind is None:
        kind = Bits(values.width(array, said, one))
      found.append(values.of_kind(kind, array[None] if one else self._cut(array, i, said), said))
    if not found:
      raise errors.UserError(f'{self._who}: {what} are empty; give at least 2 examples')
    return found, kind

  def each(self, what, arrays):
    """The examples one by one, read once; what is made while it is read is copied at once."""
    there = isinstance(arrays, list | tuple | np.ndarray)
    try:
      return list(arrays) if there else [values.copied(one) for one in arrays]
    except TypeError:
      raise errors.UserError(f'{self._who}: {what} are {errors.shortened(arrays)}; give a list of '
                             'arrays, or one array of all examples') from None

  def _cut(self, array, i, said):
    """Takes the padding off."""
    if self.lengths is None or not array.ndim:
      return array
    if i >= len(self.lengths) or not 1 <= self.lengths[i] <= len(array):
      given = self.lengths[i] if i < len(self.lengths) else 'missing'
      raise errors.UserError(f'{said} is padded to {len(array):,} and its length is {given}; give '
                             f'a length of 1 to {len(array):,}')
    return array[:self.lengths[i]]

  def one_answer(self, targets, kind):
    """Whether there is one answer a sequence, not one a step."""
    first = values.array(targets[0] if targets else (), f'{self._who}: targets[0]')
    return first.ndim == (0 if values.are_numbered(kind) else 1)

  def check_counts(self, **given):
    counts = {name: len(found) for name, found in given.items() if found is not None}
    if len(set(counts.values())) > 1:
      said = ', '.join(f'{count:,} {name}' for name, count in counts.items())
      raise errors.UserError(f'{self._who} has {said}; give as many of each')

  def check_steps(self, aux, targets):
    for i, (shown, asked) in enumerate(zip(aux, targets, strict=True)):
      if len(shown) != len(asked):
        raise errors.UserError(
            f'{self._who}: aux[{i}] has {len(shown):,} items and targets[{i}] {len(asked):,} '
            'answers; give an answer to each, or one a sequence')

  def held_out(self, validation, alike, seed):
    """[E] True for the examples that are held out; `alike` [E] numbers those that differ."""
    limits.check(seed=seed)
    if isinstance(validation, float | np.floating) and 0 < validation < 1:
      chosen = self._drawn(validation, alike, seed)
    else:
      chosen = self._named(validation, len(alike))
    if chosen.all() or not chosen.any():
      raise errors.UserError(f'{self._who}: {int(chosen.sum()):,} of {len(chosen):,} examples are '
                             'held out; leave at least one for training and one for validation')
    self._warn_of_both(chosen, alike)
    return chosen

  def _drawn(self, share, alike, seed):
    """All examples that are the same are on one side; without any it is the draw of examples."""
    different = alike.max() + 1
    if different == 1 < len(alike):
      raise errors.UserError(f'{self._who}: all {len(alike):,} examples are the same, in single '
                             'precision, so that none can be held out; give at least 2 that differ')
    order = np.random.default_rng(seed).permutation(different)
    return np.isin(alike, order[:min(max(round(share * different), 1), different - 1)])

  def _named(self, validation, count):
    numbers, chosen = _numbers(validation), np.zeros(count, bool)
    if numbers.dtype.kind not in 'iu' or numbers.ndim != 1 or (
        numbers.size and not -1 < numbers.min() <= numbers.max() < count):
      raise errors.UserError(
          f'{self._who}: validation is {errors.shortened(validation)}; it must be a share '
          f'between 0 and 1, or the numbers of examples, 0 to {count - 1:,}')
    chosen[numbers] = True
    return chosen

  def _warn_of_both(self, chosen, alike):
    if both := int(np.isin(alike[chosen], alike[~chosen]).sum()):
      logging.getLogger(__name__).warning(
          '%s: %s of %s examples that are held out are examples to train on, too, word for word, '
          'and may be right by heart; give a share as validation, which keeps them apart',
          self._who, f'{both:,}', f'{chosen.sum():,}')

  def check_size(self, parts):
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(parts))
    if size > MOST:
      raise errors.UserError(f'{self._who} has arrays of {machine.in_words(size)}, more than the '
                             f'{machine.in_words(MOST)} that a program may hold; give fewer '
                             'examples')


def _numbers(given) -> np.ndarray:
  """An array of what is given; of no kind of number where it is none, or partly masked."""
  try:
    return np.array(None) if values.is_masked(given) else np.asarray(given)
  except ValueError:  # Rows of several lengths.
    return np.array(None)


def _alike(arrays) -> np.ndarray:
  """[E] numbers the examples that differ, from 0 on; those that are the same have the same one."""
  known: dict[tuple[bytes, ...], int] = {}
  examples = zip(*(found for found in arrays if found is not None), strict=True)
  read = (tuple((one + 0).tobytes() for one in example) for example in examples)  # -0 is 0.
  return np.array([known.setdefault(example, len(known)) for example in read])


def _examples(arrays, chosen):
  """Some of the examples, the shortest first; None stays None."""
  sequences = arrays[0]
  order = sorted(np.flatnonzero(chosen), key=lambda i: len(sequences[i]))
  return Examples(*(found and _ragged([found[i] for i in order]) for found in arrays))


def _ragged(arrays):
  lengths = np.array([len(array) for array in arrays], np.int32)
  return Ragged(np.concatenate(arrays), np.cumsum(lengths, dtype=np.int32) - lengths, lengths)


def _form(kind) -> str:
  """A kind of item in words that are the same in every process, all that it is made of."""
  slots = [name for base in type(kind).__mro__ for name in getattr(base, '__slots__', ())]
  made_of = {name: getattr(kind, name) for name in slots if not name.startswith('__')}
  made_of |= getattr(kind, '__dict__', {})
  said = (f'{name}={_value(value)}' for name, value in sorted(made_of.items()))
  return f'{type(kind).__name__}({",".join(said)})'


def _value(value) -> str:
  """A value of a kind, or of a value of it; of what it calls the name alone."""
  if isinstance(value, functools.partial):
    value = value.func, value.args, value.keywords
  if isinstance(value, Mapping):
    value = value.items()  # A set of pairs.
  if isinstance(value, np.generic | np.ndarray | jax.Array):
    return _digest(np.asarray(value))
  if value is None or isinstance(value, bool | int | float | complex | str | bytes | range):
    return repr(value)
  if isinstance(value, list | tuple):
    return f'[{",".join(map(_value, value))}]'
  if isinstance(value, Set):
    return f'{{{",".join(sorted(map(_value, value)))}}}'
  return getattr(value, '__qualname__', None) or _form(value)


def _digest(parts):
  digest = hashlib.blake2b(digest_size=16)
  for leaf in jax.tree.leaves(parts):
    digest.update(f'{leaf.shape} {leaf.dtype}'.encode() + np.ascontiguousarray(leaf).tobytes())
  return digest.hexdigest()
