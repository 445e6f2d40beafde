"""Pictures of a restored model at work."""

import pathlib

import jax

from maes_jax import errors
from maes_jax import figures
from maes_jax import randomness
from maes_jax import tasks
from maes_jax.trained import Trained


def draw_attention(restored: Trained, task: tasks.Task, length: int, path: pathlib.Path):
  """Where one random sequence of `length` items is written, and where it is read again."""
  addresses = length + 8
  episode = tasks.sample(task, randomness.key(0, randomness.Stream.TEST), length, length)
  run = jax.jit(lambda episode: restored.model.trace(
      restored.params, task.name, episode, addresses))
  encoded, writing, reading = run(episode)
  if writing.write is None:
    raise errors.UserError(f'model {restored.config.model!r} has no memory to draw; '
                           'leave --figure out')
  figures.attention(
      writing.write[:, 0], reading.read[:, 0], encoded.memory,
      f'{restored.config.model.upper()} on {task.name}: {length} random items', path)
