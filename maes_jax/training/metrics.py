"""What a run measured: one line of JSON per logged step and model, and TensorBoard scalars."""

from collections.abc import Iterable, Mapping
import json
from typing import Any

import chex
import jax
import numpy as np
import tensorboardX

from maes_jax.evaluation import Counts
from maes_jax.training.trainer import TrainState
from maes_jax.training import workdir as workdir_lib

Row = Mapping[str, Any]


class Log:
  """Appends rows; a run that was cut off goes on without a line lost, doubled or half-written."""

  def __init__(self, workdir: workdir_lib.Workdir, iteration: int):
    """Opens the log of a run that stands at `iteration`; later rows will be written anew."""
    self._drop_after(workdir.metrics, iteration)
    self._file = workdir.metrics.open('a', buffering=1)  # Whole lines, for whoever watches.
    self._board = tensorboardX.SummaryWriter(str(workdir.tensorboard), purge_step=iteration + 1)

  def write(self, rows: Iterable[Row]):
    for row in rows:
      self._file.write(json.dumps(row) + '\n')
      for name in row.keys() - {'iteration', 'model'}:
        self._board.add_scalar(f'{name}/model_{row["model"]}', row[name], row['iteration'])

  def flush(self):
    self._file.flush()
    self._board.flush()

  def close(self):
    self._file.close()
    self._board.close()

  def _drop_after(self, path, iteration):
    if path.exists():
      kept = [json.dumps(row) + '\n' for row in read(path) if row['iteration'] <= iteration]
      workdir_lib.write_atomically(path, ''.join(kept))


def read(path) -> list[Row]:
  """The rows of a log; a last line cut off by a kill is left out."""
  lines = path.read_text().split('\n')
  return [json.loads(line) for line in lines[:-1]]


def rows(
    before: TrainState,
    after: TrainState,
    counts: Mapping[str, Counts],  # by task, leaves [K]; empty where none was validated
    validated: chex.Array,  # [K] models whose validation counts
) -> list[Row]:
  """A row for each model that trained from `before` to `after`."""
  before, after, counts, validated = jax.device_get((before, after, counts, validated))
  trained = np.flatnonzero(after.iteration > before.iteration)
  return [_row(after, counts if validated[k] else {}, k) for k in trained]


def _row(state, counts, k):
  row = {'iteration': int(state.iteration[k]), 'model': int(k), 'loss': float(state.loss[k])}
  if counts:
    row['validation_loss'] = float(state.validation_loss[k])
  for name, c in counts.items():
    row[f'bit_accuracy/{name}'] = float(c.bits_right[k] / c.bits[k])
    row[f'sequence_accuracy/{name}'] = float(c.sequences_right[k] / c.sequences[k])
  return row
