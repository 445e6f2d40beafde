"""What a run measured: one line of JSON per logged step and model."""

from collections.abc import Mapping, Sequence
import hashlib
import json
import os
from typing import Any

import chex
import jax
import numpy as np

from maes_jax import errors
from maes_jax import files
from maes_jax import tasks
from maes_jax.evaluation import Counts
from maes_jax.training import optimizer
from maes_jax.training.trainer import TrainState
from maes_jax.training import workdir as workdir_lib

Row = Mapping[str, Any]  # 'iteration', 'model', and by name numbers, and what is still open.

DIGEST_SIZE = 16  # Bytes.
_MOST_LINE = 2**20  # Bytes; a longer one is none of ours.


class Log:
  """Appends rows; a run that was cut off goes on without a line lost, doubled or half-written."""

  def __init__(
      self, workdir: workdir_lib.Workdir, iteration: int, digest: np.ndarray | None = None):
    """Opens the log of a run that stands at `iteration`; later rows will be written anew.

    Args:
      workdir: of the run.
      iteration: how far it is.
      digest: what `digest` returned there; None for a run that has saved nothing yet.

    Raises:
      UserError: the rows up to `iteration` are not what was logged.
    """
    self._path = workdir.metrics
    self._drop_after(iteration, digest)
    self._file = workdir.metrics.open('a', buffering=1)  # Whole lines, for whoever watches.

  def write(self, state: TrainState, rows: Sequence[Row]):
    """Takes in one window: the population's state [K] and the rows it logged."""
    del state
    for row in rows:
      self._file.write(_line(row))

  def flush(self):
    """Puts all rows on the disk."""
    self._file.flush()
    os.fsync(self._file.fileno())

  def digest(self) -> np.ndarray:
    """What tells the rows flushed so far from any others."""
    return np.frombuffer(bytes.fromhex(files.digest(self._path)), np.uint8)

  def close(self):
    self._file.close()

  def _drop_after(self, iteration, digest):
    rows = read(self._path) if self._path.exists() else []
    kept = ''.join(_line(row) for row in rows if row['iteration'] <= iteration)
    if digest is not None and (digest != _digest(kept.encode())).any():
      raise errors.UserError(f'{self._path} does not hold what was logged up to iteration '
                             f'{iteration}; restore it from a copy or use another workdir')
    files.write_atomically(self._path, kept)


def _line(row) -> str:
  return json.dumps(row) + '\n'


def _digest(content: bytes) -> np.ndarray:
  return np.frombuffer(hashlib.blake2b(content, digest_size=DIGEST_SIZE).digest(), np.uint8)


def read(path) -> list[Row]:
  """The rows of a log; a last line cut off by a kill is left out.

  Raises:
    UserError: another line is no row, or the file cannot be read.
  """
  try:
    with files.opened(path) as file:
      lines = iter(lambda: file.readline(_MOST_LINE), b'')
      return [_parse(path, number, line) for number, line in enumerate(lines, start=1)
              if line.endswith(b'\n') or len(line) == _MOST_LINE]
  except OSError as error:
    raise errors.UserError(f'{path} cannot be read: {error.strerror}; '
                           'restore it from a copy') from error


def _parse(path, number, line):
  try:
    if len(line) == _MOST_LINE:
      raise ValueError('it has no end')
    row = files.parse_json(line)
    if not isinstance(row['iteration'], int):
      raise ValueError('iteration is no whole number')
    return row
  except (ValueError, TypeError, KeyError) as error:
    raise errors.UserError(f'{path}, line {number} is damaged ({error}); '
                           'restore the file from a copy') from error


def iteration(rows: Sequence[Row]) -> int:
  """Where the window of these rows ends."""
  return max(row['iteration'] for row in rows)


def numbers(row: Row) -> dict[str, float]:
  """The numbers that a row gives of its model, by name."""
  return {name: row[name] for name in row
          if name not in ('iteration', 'model') and not isinstance(row[name], str)}


def rows(
    before: TrainState,
    after: TrainState,
    counts: Mapping[str, Counts],  # by task, leaves [K, B]; empty where none was validated
    validated: chex.Array,  # [K] models whose validation counts
    still_open: Mapping[int, Mapping[str, str]],  # by model and task why there is no proof yet
) -> list[Row]:
  """A row for each model that trained from `before` to `after`.

  Raises:
    UserError: a task asked nothing in the validation.
  """
  counts, validated = jax.device_get((counts, validated))
  counts = {name: of_task.total() for name, of_task in counts.items()}
  for name, of_task in counts.items():
    _check_asked(name, of_task)
  skipped = np.asarray(optimizer.skipped(after.optimizer) - optimizer.skipped(before.optimizer))
  before, after = jax.device_get([state._replace(params=None, optimizer=None)
                                  for state in (before, after)])
  trained = np.flatnonzero(after.iteration > before.iteration)
  return [{**_row(after, counts if validated[k] else {}, skipped[k], k),
           **_proofs(still_open.get(int(k), {}))} for k in trained]


def _check_asked(name, counts):
  if not counts.units.all():
    raise errors.UserError(
        f'task {name!r} asks nothing about the sequences of a validation, so that nobody can tell '
        'what is learnt; use another validation_length, or give it a mask that is True somewhere')


def _proofs(still_open):
  said = {f'still_open/{name}': reason for name, reason in still_open.items() if reason}
  return {**{f'certified/{name}': int(not reason) for name, reason in still_open.items()}, **said}


def _row(state, counts, skipped, k):
  row = {'iteration': int(state.iteration[k]), 'model': int(k), 'loss': float(state.loss[k])}
  if skipped:
    row['skipped'] = int(skipped)
  if counts:
    row['validation_loss'] = float(state.validation_loss[k])
  for name, c in counts.items():
    unit = tasks.get(name).answers.unit
    row[f'{unit}_accuracy/{name}'] = float(c.units_right[k] / c.units[k])
    row[f'item_accuracy/{name}'] = float(c.items_right[k] / c.items[k])
    row[f'sequence_accuracy/{name}'] = float(c.sequences_right[k] / c.sequences[k])
  return row
