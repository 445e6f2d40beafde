"""Episodes as lists of what a model of one cell reads, step by step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import phases
from maes_jax import tasks


@functools.cache
def episodes(task, count=256, padded=7, seed=0):
  """Episodes of all lengths that fit in turn, from one compiled program."""
  lengths = task.shortest + jnp.arange(count) % (padded + 1 - task.shortest)
  draw = jax.jit(lambda keys, lengths: tasks.sample_batch(task, keys, lengths, padded))
  batch = jax.device_get(draw(jax.random.split(jax.random.key(seed), count), lengths))
  return [jax.tree.map(lambda leaf: leaf[i], batch) for i in range(count)]  # noqa: B023


def steps(task, episode):
  """(control bits, item, answer due or None) of every step, as tuples."""
  bits, found = task.control_bits * task.sequences, []
  for phase in phases.in_time(episode.program):
    for t in range(0 if phase.again else int(phase.steps)):
      due = phase.asked and phase.mask[t]
      found.append((*_tuples(phase.inputs[t], bits), tuple(phase.targets[t]) if due else None))
  return found


def _tuples(item, bits):
  return tuple(item[:bits]), tuple(item[bits:])


def assert_nothing_in_padding(episode):
  """Neither items nor answers."""
  for phase in phases.in_time(episode.program):
    assert not phase.inputs[int(phase.steps):].any()
    if phase.asked:
      assert not phase.mask[int(phase.steps):].any()
      assert not np.isnan(phase.targets).any()
