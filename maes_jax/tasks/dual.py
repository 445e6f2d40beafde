"""Two sequences at a time: one is remembered while another comes in between.

The dual tasks of the working-memory suite of IBM's mi-prometheus and of Jayram et al., "Learning to
Remember, Forget and Ignore using Attention Control in Memory" (arXiv 1809.11087). A main sequence x
comes in c sub-sequences x_1 ... x_c, each followed by one y_i of a second sequence:

  ignore      # x_1 % y_1 # x_2 % y_2 ... $                 all x
  carry       # x_1 % y_1 # x_2 % y_2 ... & $               y_c, then all x
  forget      # x_1 % y_1 & # x_2 % y_2 & ... $             y_i each time, then all x
  interruption_not, _reverse, _swap and operation_span      the same, y_i changed

Markers have control bits of their own: # stores, $ recalls the main sequence, % and & the second.
`length` counts the words of all x together; all y have as many, in operation_span one each. In how
many sub-sequences they come and how long these are is drawn with each episode, and is data: one
program serves all. Two tasks of the suite have sub-sequences of x alone, `scratch_pad` (recall x_c)
and `reading_span` (recall the last word of each).

Who is on duty, and where it looks:

  x_i            the encoder goes on where it was: it reads # once and then all x, without a gap, as
                 in Serial Recall. The markers # that follow are read by who was on duty before. So
                 E_J serves, frozen, and writes on empty addresses alone.
  % y_i          `/y_encoder`, which begins anew at address 0 with each y_i. It cannot know how far
                 x will reach, but that the memory is a ring: going down from address 0, away from
                 x, it has a place of its own, and writes y_i over y_(i-1).
  & slots        `/y_solver`, which begins at address 0, too; in interruption_reverse where
                 `/y_encoder` looks, and in interruption_swap where a cell `/y_halfway` does, as in
                 `temporal_rotation`, after `/y_end` may have marked the last words. Of `ignore`
                 there is none.
  $ slots        the solver, from address 0, as in Serial Recall: a solver of that serves as it is.
"""

from collections.abc import Callable
import dataclasses
import functools

import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import errors
from maes_jax import limits
from maes_jax import phases
from maes_jax.items import Bits
from maes_jax.phases import Phase
from maes_jax.phases import Repeat
from maes_jax.tasks import checks
from maes_jax.tasks import episode
from maes_jax.tasks import manipulation

_BITS = 8
Y_ENCODER, Y_SOLVER = '/y_encoder', '/y_solver'
STORE, RECALL, STORE_Y, RECALL_Y = range(4)  # The control bits #, $, % and &.
_CONTROL_BITS = 4
NEVER, LAST, EACH = 'never', 'last', 'each'  # When y_i is asked for.


@dataclasses.dataclass(frozen=True)
class Cuts:
  """How a sequence is cut into sub-sequences.

  Attributes:
    most: the most there are; 1 to so many, all as likely, where the words allow it.
    items: words of each but the last, which has the rest. None: all ways to cut into so many are
      as likely.

  Raises:
    UserError: a size is no whole number of 1 to `config.LARGEST`.
  """
  most: int = 3
  items: int | None = None

  def __post_init__(self):
    limits.size('sub-sequences', self.most)
    if self.items is not None:
      limits.size('items of a sub-sequence', self.items)

  def longest(self, size: int) -> int:
    """The most words that a sub-sequence of at most `size` words in all can have."""
    if self.items is None or size > self.most * self.items:
      return size
    return min(size, self.items)

  def count(self, key: jax.Array, length: jax.Array) -> jax.Array:
    """[] how many sub-sequences there are."""
    if self.items is None:
      return jax.random.randint(key, (), 1, jnp.minimum(length, self.most) + 1, jnp.int32)
    return jnp.minimum(-(-length // self.items), self.most)

  def sizes(self, key: jax.Array, length: jax.Array, count: jax.Array, size: int) -> jax.Array:
    """[most] words of each, of `length` of at most `size`; 0 beyond their number."""
    number = jnp.arange(self.most, dtype=jnp.int32)
    if self.items is None:
      first = _first_of_each(key, length, count, size)
      which = jnp.where(phases.within(length, size), jnp.cumsum(first) - 1, -1)
      return jnp.sum(which[None] == number[:, None], axis=1, dtype=jnp.int32)
    rest = length - number * self.items
    return jnp.where(number == count - 1, rest, jnp.clip(rest, 0, self.items)) * (number < count)


def _first_of_each(key, length, count, size):
  """[L] True where a sub-sequence begins: at word 0 and at count - 1 others, all as likely."""
  word = jnp.arange(size, dtype=jnp.int32)
  draw = jax.random.uniform(key, (size,), jnp.float32)
  rank = jnp.argsort(jnp.argsort(jnp.where((word > 0) & (word < length), draw, 2)))
  return (word == 0) | (rank < count - 1)


def pieces(items: jax.Array, sizes: jax.Array, longest: int) -> jax.Array:
  """[L, D] and sizes [R] -> [R, longest, D]: so many of each, one piece after the other, padded."""
  place = jnp.arange(longest, dtype=jnp.int32)[None]
  source = (jnp.cumsum(sizes) - sizes)[:, None] + place
  inside = place < sizes[:, None]
  return jnp.where(inside[..., None], items[jnp.minimum(source, len(items) - 1)], 0)


def ignore(name: str = 'ignore', cuts: Cuts = Cuts()) -> episode.Task:
  """Recall all x; y_1 ... y_c are to be ignored."""
  return _dual(name, cuts, asked=NEVER)


def carry(name: str = 'carry', cuts: Cuts = Cuts()) -> episode.Task:
  """Recall y_c, then all x."""
  return _dual(name, cuts, asked=LAST)


def forget(name: str = 'forget', cuts: Cuts = Cuts()) -> episode.Task:
  """Recall each y_i when it has been shown, then all x."""
  return _dual(name, cuts, asked=EACH)


def interruption_not(name: str = 'interruption_not', cuts: Cuts = Cuts()) -> episode.Task:
  """Each y_i with its bits turned over, then all x."""
  return _dual(name, cuts, asked=EACH, change=_each_word(manipulation.inverted))


def interruption_reverse(name: str = 'interruption_reverse', cuts: Cuts = Cuts()) -> episode.Task:
  """Each y_i backwards, then all x."""
  return _dual(name, cuts, asked=EACH, change=manipulation.backwards, start=phases.HANDOVER)


def interruption_swap(
    name: str = 'interruption_swap', cuts: Cuts = Cuts(), by: int | float = 0.5) -> episode.Task:
  """Each y_i rotated by half of its length, then all x; `temporal_rotation` in between."""
  change = functools.partial(manipulation.turned, by=checks.rotation('rotation of words', by))
  led_to = functools.partial(episode.finding_middle, prefix='/y_')
  return _dual(name, cuts, asked=EACH, change=change, led_to=led_to)


def operation_span(
    name: str = 'operation_span', cuts: Cuts = Cuts(), by: int | float = 0.5) -> episode.Task:
  """Each y_i, which is one word, with its bits rotated by half; then all x."""
  by = checks.rotation('rotation of bits', by)
  change = _each_word(functools.partial(manipulation.rotated, by=by))
  return _dual(name, cuts, asked=EACH, change=change, one_word=True)


def scratch_pad(name: str = 'scratch_pad', cuts: Cuts = Cuts()) -> episode.Task:
  """# x_1 # x_2 ... # x_c $: recall x_c alone.

  The encoder begins at address 0 with each and writes over what is there, so that x_c lies where
  the solver begins. One that never erased, as E_J, leaves a blend.
  """
  return _alone(name, cuts, start=phases.RESTART, asked=_all_of_last)


def reading_span(name: str = 'reading_span', cuts: Cuts = Cuts()) -> episode.Task:
  """# x_1 # x_2 ... # x_c $: recall the last word of each.

  The encoder goes on where it was. The solver, which moves with every answer, finds the words if
  they lie side by side: if the encoder writes each word over the one before, and moves on with #.
  """
  return _alone(name, cuts, start=phases.RESUME, asked=_last_of_each)


def _alone(name, cuts, **options):
  ask = functools.partial(_of_one_sequence, cuts=_checked(cuts), **options)
  return episode.Task(name, _BITS, ask, reuses_memory=True)


def _dual(name, cuts, **options):
  ask = functools.partial(_with_second, cuts=_checked(cuts), **options)
  stores = _beside_one if options.get('one_word') else _beside_as_many
  return episode.Task(name, _BITS, ask, sequences=2, stores=stores)


def _checked(cuts):
  return errors.of_type('cuts are', cuts, Cuts,
                        'maes_jax.tasks.dual.Cuts(most=3), or with items=')


def _beside_as_many(length):
  return 2 * length + 2  # With address 0, and one that # is read at.


def _beside_one(length):
  return length + 3


def _each_word(change: Callable) -> Callable:
  """A change of words as one of the first `length` words."""
  return functools.partial(_ignoring_length, change)


def _ignoring_length(change, words, length):
  del length
  return change(words)


def _as_they_are(words, length):
  del length
  return words


def _at_once(program):
  return program


def _with_second(key, items, length, *, cuts, asked, change=_as_they_are, start=phases.RESTART,
                 one_word=False, led_to=_at_once):
  """The program of two sequences; see the top of this file."""
  keys = jax.random.split(key, 4)
  size, count = len(items), cuts.count(keys[0], length)
  there = phases.within(count, cuts.most)
  x_sizes = cuts.sizes(keys[1], length, count, size)
  y_sizes = jnp.int32(there) if one_word else cuts.sizes(keys[2], length, count, size)
  longest = cuts.longest(size)
  y = pieces(Bits(items.shape[1]).draw(keys[3], size), y_sizes, longest)
  x_again = phases.within(count - 1, cuts.most)  # After which # follows.
  shown = phases.present(Phase(episode.marked(y, STORE_Y, _CONTROL_BITS), 1 + y_sizes,
                               cell=Y_ENCODER, start=phases.RESTART), there)
  answers = phases.present(_asked_for(
      jax.vmap(change)(y, y_sizes), y_sizes, RECALL_Y, Y_SOLVER, start), there)
  x = Phase(episode.bare(pieces(items, x_sizes, longest), _CONTROL_BITS), x_sizes)
  *before, last = led_to((shown, answers)) if asked == EACH else (shown,)
  rounds = (x, *before, _closed(last, x_again))
  of_last = jax.tree.map(lambda leaf: leaf[count - 1], answers)
  return (
      Phase(episode.marked(items[:0], STORE, _CONTROL_BITS), jnp.int32(1)),
      Repeat(rounds),
      *((of_last,) if asked == LAST else ()),
      _asked_for(items, length, RECALL, phases.SOLVER, phases.RESTART))


def _asked_for(targets, count, bit, cell, start, control_bits=_CONTROL_BITS):
  """A marker and `count` empty items [..., L, D], in each of which one of the targets is due."""
  inside = lax.broadcasted_iota(jnp.int32, targets.shape[:-1], targets.ndim - 2) < count[..., None]
  outer = [(0, 0)] * (targets.ndim - 2)
  return Phase(
      episode.marked(0 * targets, bit, control_bits), 1 + count, cell=cell, start=start,
      targets=jnp.pad(jnp.where(inside[..., None], targets, 0), (*outer, (1, 0), (0, 0))),
      mask=jnp.pad(inside, (*outer, (1, 0))))


def _closed(phase, where):
  """Rounds with a marker # behind those of `where` [R], which stores the main sequence again."""
  longer = lambda leaf: jnp.pad(leaf, [(0, 0), (0, 1)] + [(0, 0)] * (leaf.ndim - 2))
  at_end = jnp.arange(len(where)), phase.steps
  asked = {'targets': longer(phase.targets), 'mask': longer(phase.mask)} if phase.asked else {}
  return dataclasses.replace(
      phase, inputs=longer(phase.inputs).at[(*at_end, STORE)].set(where),
      steps=phase.steps + where, **asked)


def _of_one_sequence(key, items, length, *, cuts, start, asked):
  """The program of one sequence in sub-sequences."""
  count_key, cut_key = jax.random.split(key)
  count = cuts.count(count_key, length)
  sizes = cuts.sizes(cut_key, length, count, len(items))
  x = pieces(items, sizes, cuts.longest(len(items)))
  words, due = asked(x, sizes, count)
  shown = phases.present(Phase(episode.marked(x, STORE, 2), 1 + sizes, start=start), sizes > 0)
  answers = _asked_for(words, due, RECALL, phases.SOLVER, phases.RESTART, control_bits=2)
  return Repeat((shown,)), answers


def _all_of_last(x, sizes, count):
  return x[count - 1], sizes[count - 1]


def _last_of_each(x, sizes, count):
  return x[jnp.arange(len(sizes)), sizes - 1], count


TASKS = (ignore(), carry(), forget(), interruption_not(), interruption_reverse(),
         interruption_swap(), operation_span(), scratch_pad(), reading_span())
