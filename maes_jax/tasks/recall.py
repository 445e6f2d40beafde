"""Serial, Reverse and Odd Recall: repeat the items, in order, backwards, every other one."""

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


def _positions(items):
  return jnp.arange(items.shape[0], dtype=jnp.int32)


def _serial(key, items, length):
  del key
  return _recall(items, _positions(items), length)


def _reverse(key, items, length):
  del key
  # Starts where the encoder ended (section 4.3).
  return _recall(items, length - 1 - _positions(items), length, phases.HANDOVER)


def _odd(key, items, length):
  del key
  return _recall(items, 2 * _positions(items), (length + 1) // 2)


SERIAL_RECALL = episode.Task('serial_recall', outputs=8, ask=_serial)
REVERSE_RECALL = episode.Task('reverse_recall', outputs=8, ask=_reverse)
ODD_RECALL = episode.Task('odd_recall', outputs=8, ask=_odd)
