"""Pictures of a restored model at work."""

import pathlib

import numpy as np

import maes_jax
from maes_jax import recording as recordings
from maes_jax import tasks
from maes_jax.recording import Recording
from maes_jax.trained import Trained

SPARE = 8  # Addresses beyond those that a sequence needs, where the memory size is not given.


def title(restored: Trained, task: tasks.Task, length: int, checkpoint: str = '') -> str:
  """What is to be seen, in words, and the name of the checkpoint that shows it."""
  name = task.name.replace('_', ' ').title()
  source = f' ({pathlib.Path(checkpoint).resolve().name})' if checkpoint else ''
  return f'{restored.config.model.upper()}{source} on {name}: {length:,} random items'


def recorder(restored: Trained, task: tasks.Task, length: int) -> recordings.Recorder:
  """Of sequences of `length` items, in a memory that just holds them."""
  return recordings.Recorder(restored.model, task, length, task.needs(length) + SPARE)


def draw_attention(restored: Trained, task: tasks.Task, length: int, path: pathlib.Path,
                   by: str = ''):
  """Where one random sequence of `length` items is written and read again; `by`: whom, in words."""
  recording = recorder(restored, task, length).record(restored.params)
  draw(recording, task, title(restored, task, length) + by, path)


def draw(recording: Recording, task: tasks.Task, title: str, path: pathlib.Path):
  """What is written where, what that leaves, where answers are read; of all heads the largest."""
  half = recording.solving
  write, read = _all_heads(recording)
  pictures = _pictures(recording, write, task)
  maes_jax.figures.attention(
      write, read, recording.memory[half - 1], title, path, pictures, _names(recording))


def _pictures(recording, write, task):
  """By address the picture that was written there last; none where items are no pictures."""
  breadth = maes_jax.figures.breadth(task)
  if breadth == 1:
    return {}
  items = np.flatnonzero(~recording.marks[:len(write)])
  return {int(write[t].argmax()): recording.inputs[t, -task.items.width:].reshape(-1, breadth)
          for t in items}


def film(recording: Recording, title: str, path: pathlib.Path):
  """The same, step by step."""
  write, read = _all_heads(recording)
  maes_jax.figures.animation(write, read, recording.memory, title, path, _names(recording))


def _names(recording):
  """Of what is shown; where more than an encoder and a solver take turns, by when it is."""
  two = recording.cells == ('encoder', 'solver') and not recording.tied
  return maes_jax.figures.TWO_PHASES if two else maes_jax.figures.MORE_PHASES


def _all_heads(recording):
  """Write attention before the last answers and read attention of these, [T, N] and [S, N]."""
  half = recording.solving
  return recording.write[:half].max(axis=1), recording.read[half:].max(axis=1)
