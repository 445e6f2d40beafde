"""How a run is doing, for the person waiting: a bar on a terminal, else a line per validation."""

from collections.abc import Sequence
import contextlib
import datetime
import sys
import time

import numpy as np

from maes_jax import extras
from maes_jax.config import WINDOW
from maes_jax.training import metrics
from maes_jax.training import optimizer
from maes_jax.training.metrics import Row
from maes_jax.training.trainer import NEVER
from maes_jax.training.trainer import TrainState


class Progress:
  """Shows loss, validation accuracy, iterations per second and the time left at most."""

  def __init__(self, iteration: int, max_iterations: int):
    self._start, self._total = (iteration, time.monotonic()), -(-max_iterations // WINDOW) * WINDOW
    self._bar = _bar(iteration, self._total)
    self._accuracy = ''

  def write(self, state: TrainState, rows: Sequence[Row]):
    """Takes in one window: the population's state and the rows it logged."""
    accuracies = [row[name] for row in rows for name in row if _of_units(name)]
    if accuracies:
      self._accuracy = f', validation {np.median(accuracies):.2%}'
    text = self._describe(state)
    with _ignoring_no_reader():
      self._show(metrics.iteration(rows), text, bool(accuracies))

  def _show(self, iteration, text, validated):
    if self._bar:
      self._bar.set_postfix_str(text, refresh=False)
      self._bar.update(iteration - self._bar.n)
    elif validated:
      say(f'iteration {iteration}: {text}, {self._pace(iteration)}')

  def flush(self):
    """Nothing is held back."""

  def close(self):
    if not self._bar:
      return
    with _ignoring_no_reader():
      self._bar.close()

  def _describe(self, state):
    done = int(np.sum(np.asarray(state.converged) != NEVER))
    loss = float(np.median(np.asarray(state.loss)))
    failed = int(np.sum(optimizer.failed(state.optimizer)))
    skipped = int(np.sum(optimizer.skipped(state.optimizer)))
    trouble = f', {skipped} updates skipped, {failed} models failed' if skipped else ''
    return f'loss {loss:.1e}{self._accuracy}, {done} of {state.converged.size} done{trouble}'

  def _pace(self, iteration):
    first, started = self._start
    rate = (iteration - first) / (time.monotonic() - started)
    left = (self._total - iteration) / rate
    return f'{rate:.0f} it/s, at most {datetime.timedelta(seconds=round(left))} left'


def _of_units(name) -> bool:
  """Whether a row's entry is the accuracy per bit, or what else answers consist of."""
  return '_accuracy/' in name and not name.startswith(('item_', 'sequence_'))


def _bar(iteration, max_iterations):
  """A bar on a terminal, where tqdm is installed; else None."""
  if not _is_terminal(sys.stderr) or extras.missing('progress'):
    return None
  import tqdm
  return tqdm.tqdm(total=max_iterations, initial=iteration, unit='it', dynamic_ncols=True)


def _is_terminal(stream) -> bool:
  return stream is not None and not stream.closed and stream.isatty()


def say(text: str):
  """A line on stderr, if anybody still reads it."""
  with _ignoring_no_reader():
    print(text, file=sys.stderr, flush=True)


def _ignoring_no_reader():
  """A run goes on without one: the terminal may be gone, a pipe or a stream be closed."""
  return contextlib.suppress(OSError, ValueError)
