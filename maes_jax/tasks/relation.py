"""Sequence Comparison and Equality: relate an auxiliary sequence to the one in memory."""

import functools

import jax
import jax.numpy as jnp

from maes_jax.items import Bits
from maes_jax.tasks import episode


_COUNTED = 30  # Bits of a number that is drawn at once.


def other_words(key, items):
  """For every word one of all others, uniformly: flips some of its bits."""
  flips = (_of_numbers if items.shape[1] <= _COUNTED else _of_bits)(key, *items.shape)
  return jnp.abs(items - flips.astype(items.dtype))


def _of_numbers(key, count, width):
  """The bits of numbers from 1 on."""
  flips = jax.random.randint(key, (count,), 1, 2 ** width, jnp.int32)
  return (flips[:, None] >> jnp.arange(width, dtype=jnp.int32)[None, :]) & 1


def _of_bits(key, count, width):
  """Bits one by one; where none is on, once in two billion words at most, all are."""
  flips = Bits(width).draw(key, count)
  return jnp.where(jnp.any(flips > 0, axis=1, keepdims=True), flips, 1)


def _comparison(key, items, length):
  """Is this item equal to that one? Each is kept with probability 1/2."""
  keep_key, other_key = jax.random.split(key)
  keep = jax.random.bernoulli(keep_key, jnp.float32(0.5), shape=items.shape[:1])
  aux = jnp.where(keep[:, None], items, other_words(other_key, items))
  targets = keep[:, None].astype(items.dtype)
  return episode.Question(aux, targets, episode.within(length, items.shape[0]))


def _equality(make_different, key, items, length):
  """Are the sequences equal? They are with probability 1/2; only the last answer counts."""
  equal_key, different_key = jax.random.split(key)
  equal = jax.random.bernoulli(equal_key, jnp.float32(0.5))
  aux = jnp.where(equal, items, make_different(different_key, items, length))
  positions = jnp.arange(items.shape[0], dtype=jnp.int32)
  targets = jnp.broadcast_to(equal.astype(items.dtype), (items.shape[0], 1))
  return episode.Question(aux, targets, positions == length - 1)


def _prefix_equality(key, items, length):
  """Are the sequences equal so far? Half of them are, the others differ in a single item.

  Half of these differ there in one bit, the rest in any.
  """
  equal_key, item_key, bit_key, other_key = jax.random.split(key, 4)
  equal, one_bit = jax.random.bernoulli(equal_key, jnp.float32(0.5), shape=(2,))
  item = jax.random.randint(item_key, (), 0, length, jnp.int32)
  other = other_words(other_key, items)[item]
  aux = jnp.where(one_bit, _one_bit_of(bit_key, items, item), items.at[item].set(other))
  positions = jnp.arange(items.shape[0], dtype=jnp.int32)
  targets = jnp.where(equal, True, positions < item)[:, None].astype(items.dtype)
  return episode.Question(
      jnp.where(equal, items, aux), targets, episode.within(length, items.shape[0]))


def _fresh(key, items, length):
  """Every item anew; if all come out the same, other words throughout."""
  fresh_key, other_key = jax.random.split(key)
  fresh = Bits(items.shape[1]).draw(fresh_key, items.shape[0])
  valid = episode.within(length, items.shape[0])[:, None]
  same = jnp.all((fresh == items) | ~valid)
  return jnp.where(same, other_words(other_key, items), fresh)


def _one_bit(key, items, length):
  """Exactly one bit of one item flipped."""
  item_key, bit_key = jax.random.split(key)
  item = jax.random.randint(item_key, (), 0, length, jnp.int32)
  return _one_bit_of(bit_key, items, item)


def _one_bit_of(key, items, item):
  bit = jax.random.randint(key, (), 0, items.shape[1], jnp.int32)
  return items.at[item, bit].set(1 - items[item, bit])


fresh_or_equal = functools.partial(_equality, _fresh)

SEQUENCE_COMPARISON = episode.Task('sequence_comparison', outputs=1, ask=_comparison)
SEQUENCE_EQUALITY = episode.Task(
    'sequence_equality', outputs=1, ask=fresh_or_equal)
PREFIX_EQUALITY = episode.Task('prefix_equality', outputs=1, ask=_prefix_equality)
HARD_EQUALITY = episode.Task(
    'hard_equality', outputs=1, ask=functools.partial(_equality, _one_bit))
TASKS = (SEQUENCE_COMPARISON, SEQUENCE_EQUALITY, HARD_EQUALITY, PREFIX_EQUALITY)
