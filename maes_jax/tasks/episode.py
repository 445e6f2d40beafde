"""One generator for all tasks: random words in, one episode out (paper, section 4.1)."""

from collections.abc import Callable
import dataclasses
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import batching
from maes_jax import errors
from maes_jax import limits
from maes_jax import shapes

CONTROL_BITS = 2  # Bit 0 marks "store", bit 1 marks "recall".
DATA_BITS = 8
INPUTS = CONTROL_BITS + DATA_BITS  # X


class Question(NamedTuple):
  """What a task asks about the items x_1 ... x_n, padded to L items."""
  aux: chex.Array  # [L, 8] data of the auxiliary sequence, zeros where the task has none
  targets: chex.Array  # [L, Y]
  mask: chex.Array  # [L] True where an answer counts


class Episode(NamedTuple):
  """One example; T = L + 1, for the marker in front."""
  main: chex.Array  # [T, X] store marker, then the items
  aux: chex.Array  # [T, X] recall marker, then the auxiliary items
  targets: chex.Array  # [T, Y] aligned with aux
  mask: chex.Array  # [T] True where an answer counts
  length: chex.Array  # [] n, the number of items

  @property
  def valid(self) -> chex.Array:
    """[T] False where both sequences are padding."""
    return jnp.arange(self.mask.shape[-1], dtype=jnp.int32) <= self.length


# (key, items [L, 8], length []) -> Question. Items beyond `length` are zero.
Ask = Callable[[chex.PRNGKey, chex.Array, chex.Array], Question]


@dataclasses.dataclass(frozen=True)
class Task:
  """A working-memory task: its name, the bits of one answer (Y), and the question it asks.

  Raises:
    UserError: the name is no text, the outputs are no whole number of at least 1, or the question
      is no function.
  """
  name: str
  outputs: int
  ask: Ask

  def __post_init__(self):
    if not isinstance(self.name, str) or not self.name:
      raise errors.UserError(
          f'the name of a task is {errors.shortened(self.name)}; it must be text')
    if not callable(self.ask):
      raise errors.UserError(f'task {self.name!r} asks {errors.shortened(self.ask)}; give a '
                             'function (key, items [L, 8], length) -> Question')
    limits.check(**{f'outputs of task {self.name!r}': self.outputs})


def sample(task: Task, key: chex.PRNGKey, length: chex.Array, max_length: int) -> Episode:
  """Draws one episode of `length` items, padded to `max_length`.

  The same key gives the same main sequence whatever the task, so that several solvers can be
  asked about one encoding. `length` may be traced: one compiled program serves every length. It
  can then not be checked; beyond `max_length` its targets mean nothing.

  Raises:
    UserError: a known length of less than 1 or more than `max_length`, or a question of other
      shapes than `Question` says.
  """
  limits.check(length=length, max_length=max_length)
  items_key, ask_key = jax.random.split(key)
  items = jnp.where(within(length, max_length)[:, None], random_words(items_key, max_length), 0)
  question = task.ask(ask_key, items, length)
  _check_question(task, question, max_length)
  valid = within(length, max_length)
  return Episode(
      main=_with_marker(items, bit=0),
      aux=_with_marker(_single(jnp.where(valid[:, None], question.aux, 0)), bit=1),
      targets=_single(jnp.pad(question.targets, ((1, 0), (0, 0)))),
      mask=jnp.pad(question.mask & valid, (1, 0)),
      length=jnp.asarray(length, jnp.int32))


def sample_batch(
    task: Task,
    keys: chex.PRNGKey,  # [B]
    lengths: chex.Array,  # [B]
    max_length: int,
) -> Episode:
  """A batch of episodes of any mix of lengths; every leaf has a leading axis B. See `sample`."""
  shapes.check(lengths=(lengths, 'B', int))
  limits.check(length=lengths, max_length=max_length)
  return batching.vmap(lambda key, length: sample(task, key, length, max_length))(keys, lengths)


def dry_run(task: Task, max_length: int) -> Episode:
  """The shapes of an episode padded to `max_length` items; its function is traced, not computed.

  Raises:
    UserError: its function fails or asks a question of other shapes than `Question` says.
  """
  if not isinstance(task, Task):
    raise errors.UserError(f'the task is {errors.shortened(task)}; give a maes_jax.tasks.Task, '
                           "e.g. maes_jax.tasks.get('serial_recall')")
  draw = lambda seed, length: sample(task, jax.random.key(seed), length, max_length)
  number = jax.ShapeDtypeStruct((), jnp.int32)
  try:
    with shapes.quietly():
      return jax.eval_shape(draw, number, number)
  except errors.UserError:
    raise
  except Exception as error:
    reason = f'{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ""}'
    raise errors.UserError(
        f'task {task.name!r} fails with sequences padded to {max_length:,} items ({reason}); its '
        'function takes (key, items [L, 8], length []), traced, and returns a Question') from error


def _check_question(task, question, max_length):
  """Shapes and kinds are known while JAX traces, so that this costs a program nothing."""
  wanted = {'aux': ((max_length, DATA_BITS), np.floating),
            'targets': ((max_length, task.outputs), np.floating),
            'mask': ((max_length,), np.bool_)}
  said = ', '.join(f'{name} {list(shape)} of {"bool" if kind is np.bool_ else "float"}'
                   for name, (shape, kind) in wanted.items())
  said = f'with {max_length:,} items it must return a Question of {said}'
  if not isinstance(question, Question):
    raise errors.UserError(f'task {task.name!r} returns {errors.shortened(question)}; {said}')
  for name, (shape, kind) in wanted.items():
    part = getattr(question, name)
    found, dtype = getattr(part, 'shape', None), getattr(part, 'dtype', type(part).__name__)
    if found != shape or not jnp.issubdtype(dtype, kind):
      found = errors.shortened(part) if found is None else f'{list(found)} of {dtype}'
      raise errors.UserError(f'task {task.name!r} returns {name} {found}; {said}')


def random_words(key: chex.PRNGKey, count: int) -> chex.Array:
  """`count` words of 8 fair bits, [count, 8]."""
  half = jnp.float32(0.5)  # Whatever JAX's default precision is, the same key draws the same words.
  return _single(jax.random.bernoulli(key, half, shape=(count, DATA_BITS)))


def _single(array):
  return array.astype(jnp.float32)


def within(length: chex.Array, max_length: int) -> chex.Array:
  """[max_length] True for the first `length` items."""
  return jnp.arange(max_length, dtype=jnp.int32) < length


def _with_marker(items: chex.Array, bit: int) -> chex.Array:
  """[L, 8] -> [L + 1, X]: a marker item with no data in front, control bits everywhere."""
  marker_first = jnp.pad(items, ((1, 0), (CONTROL_BITS, 0)))
  return marker_first.at[0, bit].set(1)
