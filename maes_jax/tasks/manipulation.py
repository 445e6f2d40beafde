"""One sequence, recalled in other ways: several times, in part, turned over, rotated, mirrored.

The single-sequence tasks of the working-memory suite of IBM's mi-prometheus (its problems
`algorithmic`), which Jayram et al. train in "Learning to Remember, Forget and Ignore using
Attention Control in Memory" (arXiv 1809.11087). In all of them an encoder stores a marker and n
words, so that the encoder of any recall task serves, and a solver answers after another marker.
`length` counts the words of x.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from maes_jax import limits
from maes_jax import phases
from maes_jax.tasks import checks
from maes_jax.tasks import episode
from maes_jax.tasks import recall
from maes_jax.tasks import relation

_BITS = 8


def repeat_serial(name: str = 'repeat_serial', most: int = 5) -> episode.Task:
  """x recalled in order 1 to `most` times, after a marker each time.

  The solver begins at address 0 with every copy.
  """
  ask = functools.partial(_repeat, most=limits.size('most copies', most))
  return episode.Task(name, _BITS, ask)


def repeat_reverse(name: str = 'repeat_reverse', most: int = 5) -> episode.Task:
  """x recalled backwards 1 to `most` times, after a marker each time.

  Only who looked there knows where the end is. A cell `/bookmark` begins where the encoder ended
  and has to stay: before each copy it is on duty for a step, and the solver begins where it looks.
  The marker that it reads is the solver's own, once more.
  """
  ask = functools.partial(_repeat, most=limits.size('most copies', most), reverse=True)
  return episode.Task(name, _BITS, ask)


def skip_recall(name: str = 'skip_recall', step: int = 2) -> episode.Task:
  """x[0], x[step], x[2 step], ...; with step 2 it is Odd Recall. Needs a shift range of `step`."""
  ask = functools.partial(recall.every, step=limits.size('step', step))
  return episode.Task(name, _BITS, ask)


def spatial_not(name: str = 'spatial_not') -> episode.Task:
  """x with every bit turned over."""
  return episode.Task(name, _BITS, functools.partial(_changed, change=inverted))


def spatial_rotation(name: str = 'spatial_rotation', by: int | float = 0.5) -> episode.Task:
  """x with the bits of each word rotated to the right, by so many or by a fraction of its width."""
  change = functools.partial(rotated, by=checks.rotation('rotation of bits', by))
  return episode.Task(name, _BITS, functools.partial(_changed, change=change))


def temporal_rotation(name: str = 'temporal_rotation', by: int | float = 0.5) -> episode.Task:
  """x rotated to the right, by so many words or by a fraction of its length.

  The first answer is x[n - by], and x[0] comes after the last word. A cell `/halfway` walks from
  address 0 while the items are shown once more, and the solver begins where it is then; a cell
  `/end` may mark the last words, after which the solver must jump: MAES's has `head='sharp_jump'`.
  """
  ask = functools.partial(_temporal_rotation, by=checks.rotation('rotation of words', by))
  return episode.Task(name, _BITS, ask)


def sequence_symmetry(name: str = 'sequence_symmetry') -> episode.Task:
  """x, then x': is x' = x reversed? One bit at the end; the solver starts where the encoder ended.

  Half of the time it is, else x' is fresh words, as in Sequence Equality.
  """
  return episode.Task(name, 1, _symmetry)


def inverted(words: jax.Array) -> jax.Array:
  """Words [..., D] with every bit turned over."""
  return 1 - words


def rotated(words: jax.Array, by: int | float) -> jax.Array:
  """Words [..., D] with their bits rotated to the right."""
  return jnp.roll(words, places(by, words.shape[-1]), axis=-1)


def places(by: int | float, count: int) -> int:
  """Of `count` things, by how many a rotation moves them."""
  return by if isinstance(by, int) else round(by * count)


def turned(words: jax.Array, length: jax.Array, by: int | float) -> jax.Array:
  """The first `length` words of [L, D] rotated to the right; what comes after means nothing."""
  length = jnp.asarray(length, jnp.int32)
  return words[(recall.positions(words) - _places_of(by, length)) % length]


def _places_of(by, length):
  """`places` of a number that may be traced: in single precision, whatever JAX's default is."""
  if isinstance(by, int):
    return by
  return jnp.round(jnp.float32(by) * length.astype(jnp.float32)).astype(jnp.int32)


def backwards(words: jax.Array, length: jax.Array) -> jax.Array:
  """The first `length` words of [L, D] in reverse; what comes after means nothing."""
  return words[jnp.clip(length - 1 - recall.positions(words), 0)]


def _changed(key, items, length, *, change):
  question = recall.serial(key, items, length)
  return dataclasses.replace(question, targets=change(question.targets))


def _temporal_rotation(key, items, length, *, by):
  question = recall.serial(key, items, length)
  question = dataclasses.replace(question, targets=turned(items, length, by))
  program = episode.two_phases(items, length, question, length, shared=True)
  return episode.finding_middle(program)


def _symmetry(key, items, length):
  equal = relation.fresh_or_equal(key, items, length)
  return dataclasses.replace(equal, aux=backwards(equal.aux, length), start=phases.HANDOVER)


def _repeat(key, items, length, *, most, reverse=False):
  """Store, then so many rounds of recall; of no steps beyond their number."""
  question = (recall.reverse if reverse else recall.serial)(key, items, length)
  store, answer = episode.two_phases(items, length, question, length)
  copies = jax.random.randint(key, (), 1, most + 1, jnp.int32)
  rounds = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (most, *leaf.shape)), answer)
  rounds = phases.present(rounds, phases.within(copies, most))
  if not reverse:
    return store, phases.Repeat((rounds,))
  mark = functools.partial(phases.Phase, cell='/bookmark', again=True)
  return (store, mark(answer.inputs[:1], jnp.int32(1), start=phases.HANDOVER),
          phases.Repeat((mark(rounds.inputs[:, :1], jnp.minimum(rounds.steps, 1)), rounds)))


TASKS = (repeat_serial(), repeat_reverse(), skip_recall(), spatial_not(), spatial_rotation(),
         temporal_rotation(), sequence_symmetry())
