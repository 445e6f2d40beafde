"""Serial, Reverse and Odd Recall: repeat the items, in order, backwards, every other one."""

import functools

import jax.numpy as jnp

from maes_jax import phases
from maes_jax.tasks import episode


def _recall(items, source, count, start=phases.RESTART):
  """Answers i = 0 ... count - 1 are items[source[i]]."""
  last = items.shape[0] - 1
  return episode.Question(
      aux=jnp.zeros_like(items),
      targets=items[jnp.clip(source, 0, last)],
      mask=episode.within(count, items.shape[0]), start=start)


def positions(items):
  """[L] 0 ... L - 1."""
  return jnp.arange(items.shape[0], dtype=jnp.int32)


def serial(key, items, length):
  """Asks for all items in order."""
  del key
  return _recall(items, positions(items), length)


def reverse(key, items, length):
  """Asks for all items, the last first."""
  del key
  # Starts where the encoder ended (section 4.3).
  return _recall(items, length - 1 - positions(items), length, phases.HANDOVER)


def every(key, items, length, step):
  """Asks for the first item and every `step`-th after it."""
  del key
  return _recall(items, step * positions(items), -(-length // step))


SERIAL_RECALL = episode.Task('serial_recall', outputs=8, ask=serial)
REVERSE_RECALL = episode.Task('reverse_recall', outputs=8, ask=reverse)
ODD_RECALL = episode.Task('odd_recall', outputs=8, ask=functools.partial(every, step=2))
TASKS = (SERIAL_RECALL, REVERSE_RECALL, ODD_RECALL)
