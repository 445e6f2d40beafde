"""What TensorBoard shows: the numbers of each model, the config, and a population at a glance.

The latter, medians over its models and what attention does, is a run of its own, `population`.
"""

from collections.abc import Sequence

import chex
import jax
import numpy as np

from maes_jax import recording as recordings
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import board
from maes_jax.training import metrics
from maes_jax.training.metrics import Row
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState
from maes_jax.training.workdir import Workdir

PIXELS = 6  # Width and height of an address at a time step.


class Scalars:
  """Writes every number that is logged, and at the start of a run its config."""

  def __init__(self, workdir: Workdir, config: Config, iteration: int):
    """Opens those of a run that stands at `iteration`; what comes later is written anew."""
    self._board = board.Board(workdir.tensorboard, iteration + 1)
    if iteration == 0:
      self._board.add_text('config', f'```json\n{config.to_json()}```', iteration)

  def write(self, state: TrainState, rows: Sequence[Row]):
    """Takes in one window: the population's state [K] and the rows it logged."""
    del state
    for row in rows:
      for name, value in metrics.numbers(row).items():
        self._board.add(f'{name}/model_{row["model"]}', value, row['iteration'])

  def flush(self):
    self._board.flush()

  def close(self):
    self._board.close()


class Overview:
  """Writes medians of every window, and a picture by task at every validation."""

  def __init__(self, workdir: Workdir, trainer: Trainer, iteration: int):
    """Opens the overview of a run that stands at `iteration`; what comes later is written anew."""
    config = trainer.config
    self._board = board.Board(workdir.tensorboard / 'population', iteration + 1)
    recorders = [recordings.Recorder(trainer.model, tasks.get(name), config.max_length,
                                     config.memory) for name in config.task]
    self._recorders = [recorder for recorder in recorders if recorder.shows]

  def write(self, state: TrainState, rows: Sequence[Row]):
    """Takes in one window: the population's state [K] and the rows it logged."""
    for name in sorted({name for row in rows for name in metrics.numbers(row)}):
      values = [row[name] for row in rows if name in row]
      self._board.add(f'{name}/median', float(np.median(values)), metrics.iteration(rows))
    validated = [row for row in rows if 'validation_loss' in row]
    if validated:
      self._draw(state, min(validated, key=lambda row: row['validation_loss'])['model'],
                 metrics.iteration(rows))

  def _draw(self, state, model, iteration):
    """The model of the smallest validation loss at work on one sequence."""
    params = jax.tree.map(lambda leaf: leaf[model], jax.device_get(state.params))
    for recorder in self._recorders:
      recording = recorder.record(params)
      for kind in ('write', 'read'):
        self._board.add_image(f'{kind}/{recorder.task.name}', picture(getattr(recording, kind)),
                              iteration)

  def flush(self):
    self._board.flush()

  def close(self):
    self._board.close()


def picture(attention: chex.Array) -> np.ndarray:
  """Attention [T, heads, N], the largest of the heads, as grey levels [H, W] of 8 bits.

  Time runs to the right, addresses upwards; weight 1 is black.
  """
  weights = np.asarray(attention).max(axis=1).T[::-1]
  grey = np.rint(255 * (1 - np.clip(np.nan_to_num(weights), 0, 1))).astype(np.uint8)
  return np.kron(grey, np.ones((PIXELS, PIXELS), np.uint8))
