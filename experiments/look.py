"""Pictures of a restored model at work."""

import pathlib

import maes_jax
from maes_jax import recording as recordings
from maes_jax import tasks
from maes_jax.recording import Recording
from maes_jax.trained import Trained

SPARE = 8  # Addresses beyond those that a sequence needs, where the memory size is not given.


def title(restored: Trained, task: tasks.Task, length: int) -> str:
  """What is to be seen, in words."""
  name = task.name.replace('_', ' ').title()
  return f'{restored.config.model.upper()} on {name}: {length:,} random items'


def draw_attention(restored: Trained, task: tasks.Task, length: int, path: pathlib.Path):
  """Where one random sequence of `length` items is written, and where it is read again."""
  recording = recordings.record(
      restored.model, restored.params, task, length, addresses=length + SPARE)
  draw(recording, title(restored, task, length), path)


def draw(recording: Recording, title: str, path: pathlib.Path):
  """Where the encoder's first head writes, what it leaves, where the solver's first head reads."""
  half = recording.solving
  maes_jax.figures.attention(recording.write[:half, 0], recording.read[half:, 0],
                             recording.memory[half - 1], title, path)


def film(recording: Recording, title: str, path: pathlib.Path):
  """The same, step by step."""
  half = recording.solving
  maes_jax.figures.animation(recording.write[:half, 0], recording.read[half:, 0], recording.memory,
                             title, path)
