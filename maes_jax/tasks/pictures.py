"""Pictures: tasks on handwritten digits of 8 x 8, which scikit-learn ships (the extra `pictures`).

An item is a picture, 64 numbers between 0 and 1. What cells read is made of it by a small encoder
of its own, under the parameters' key `embed`. What is asked for is the digit, never the picture:
the same digit is shown by another picture. A fifth of the pictures are held out: training draws
from the others alone, and whatever measures from these alone.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import ClassVar

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import errors
from maes_jax import extras
from maes_jax import phases
from maes_jax.items import Vectors
from maes_jax.phases import Program
from maes_jax.tasks import episode
from maes_jax.tasks import streams

PIXELS = 64
_DIGITS = 10
_EACH = 5  # Of so many pictures of a digit the last is held out.


@dataclasses.dataclass(frozen=True)
class Pool:
  """Pictures of one part, those of a digit one after the other."""
  pictures: np.ndarray  # [P, 64]
  digits: np.ndarray  # [P]
  counts: np.ndarray  # [10] how many there are of each digit

  def draw(self, key: chex.PRNGKey, digits: chex.Array) -> chex.Array:
    """A picture [n, 64] of each of these digits [n], all as likely."""
    counts = jnp.asarray(self.counts)
    starts = jnp.cumsum(counts) - counts
    picture = jax.random.randint(key, digits.shape, 0, counts[digits], jnp.int32)
    return jnp.asarray(self.pictures)[starts[digits] + picture]


@functools.cache
def pool(split: str) -> Pool:
  """The pictures for training, or those that are held out.

  Raises:
    MissingPackage: scikit-learn is not installed.
  """
  extras.need('pictures', 'a task on pictures')
  from sklearn import datasets
  pictures, digits = map(np.asarray, datasets.load_digits(return_X_y=True))
  order = np.argsort(digits, kind='stable')
  pictures = (pictures[order] / 16).astype(np.float32)
  digits = digits[order].astype(np.int32)
  place = np.arange(len(digits)) - np.searchsorted(digits, digits)
  chosen = (place % _EACH == _EACH - 1) == (split == episode.HELD_OUT)
  digits = digits[chosen]
  return Pool(pictures[chosen], digits, np.bincount(digits, minlength=_DIGITS).astype(np.int32))


class Sight(nn.Module):
  """A picture [..., 64] as what cells read [..., size]; nothing of an empty item."""
  size: int = 8
  hidden: int = 32

  @nn.compact
  def __call__(self, pictures):
    features = nn.relu(nn.Dense(self.hidden, use_bias=False)(pictures))
    return nn.tanh(nn.Dense(self.size, use_bias=False)(features))


@dataclasses.dataclass(frozen=True)
class Pictures(Vectors):
  """Pictures of digits.

  A task of one's own gets those of training in tests, too: only a `PictureTask` tells them apart.

  Attributes:
    size: numbers that cells read of a picture.
  """
  width: int = PIXELS
  size: int = 8
  breadth: ClassVar[int] = 8  # A figure shows them so.

  @property
  def embedding(self) -> nn.Module:  # type: ignore[override]
    return Sight(self.size)

  def draw(self, key: chex.PRNGKey, count: int) -> chex.Array:
    digit_key, key = jax.random.split(key)
    return pool(episode.TRAINING).draw(key, _digits(digit_key, count))


# (task, key, pictures, length [], L) -> program
Make = Callable[[episode.Task, chex.PRNGKey, Pool, chex.Array, int], Program]


def _asks_nothing(unused_key, unused_items, unused_length):
  raise errors.UserError('a task on pictures draws its own and asks about no others; draw an '
                         'episode by tasks.sample')


@dataclasses.dataclass(frozen=True)
class PictureTask(episode.Task):
  """A task whose items are pictures of one part.

  Attributes:
    make: its program.
    shows: whether the solver is shown pictures, one for each item.
  """
  ask: episode.Ask = _asks_nothing
  make: Make = None  # type: ignore[assignment]  # Never None.
  shows: bool = False

  def draw(
      self, key: chex.PRNGKey, length: chex.Array, max_length: int, split: str) -> phases.Episode:
    """One episode, of pictures of that part."""
    program = self.make(self, key, pool(split), length, max_length)
    return phases.Episode(tuple(program), length)

  def about(self, items, length, aux, slots):
    if not self.shows:
      return super().about(items, length, aux, slots)
    return self.pose(items, length, _question(aux, jnp.zeros(len(aux), bool), slots), slots)


def picture_change(name: str = 'picture_change', size: int = 8) -> episode.Task:
  """# x $ x': for each picture of x', does it show another digit than that picture of x? Half do.

  `length` counts the pictures of x. The encoder stores, the solver compares from address 0 on.
  """
  return PictureTask(name, 1, items=Pictures(size=size), make=_change, shows=True)


def picture_match(name: str = 'picture_match', size: int = 8) -> episode.Task:
  """# sample, n - 1 other pictures, $ probe: does the probe show the digit of the sample?

  As `delayed_match` of words: half of them do, a cell `/delay` reads what comes in between.
  """
  return PictureTask(name, 1, items=Pictures(size=size), make=_match)


def _digits(key, count):
  return jax.random.randint(key, (count,), 0, _DIGITS, jnp.int32)


def _others(key, digits):
  """For every digit one of the nine others."""
  return (digits + jax.random.randint(key, digits.shape, 1, _DIGITS, jnp.int32)) % _DIGITS


def _change(task, key, pictures, length, size):
  digit_key, first_key, change_key, other_key, second_key = jax.random.split(key, 5)
  digits = _digits(digit_key, size)
  changed = jax.random.bernoulli(change_key, jnp.float32(0.5), (size,))
  later = jnp.where(changed, _others(other_key, digits), digits)
  there = phases.within(length, size)[:, None]
  first = jnp.where(there, pictures.draw(first_key, digits), 0)
  question = _question(pictures.draw(second_key, later), changed, length)
  return task.pose(first, length, question, length)  # Other tasks draw theirs otherwise.


def _question(shown, changed, length):
  return episode.Question(
      shown, changed[:, None].astype(jnp.float32), phases.within(length, len(shown)))


def _match(task, key, pictures, length, size):
  del task
  digit_key, picture_key, same_key, other_key, probe_key = jax.random.split(key, 5)
  digits = _digits(digit_key, size)
  stream = jnp.where(phases.within(length, size)[:, None], pictures.draw(picture_key, digits), 0)
  same = jax.random.bernoulli(same_key, jnp.float32(0.5))
  probe = pictures.draw(probe_key, jnp.where(same, digits[:1], _others(other_key, digits[:1])))
  return streams.delayed(stream, probe, same, length)


TASKS = (picture_change(), picture_match())
