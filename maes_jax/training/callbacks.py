"""What follows a run: its log, TensorBoard, the line of progress, and then a user's own."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
from typing import Protocol

import numpy as np

from maes_jax import errors
from maes_jax.training import board
from maes_jax.training import metrics
from maes_jax.training import overview
from maes_jax.training import progress
from maes_jax.training.metrics import Row
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState
from maes_jax.training.workdir import Workdir

_METHODS = ('write', 'flush', 'close')


class Callback(Protocol):
  """Whatever has these methods; of several processes only the one that writes calls them."""

  def write(self, state: TrainState, rows: Sequence[Row]):
    """After a window: the population [K] and the rows to log.

    Parameters are JAX's arrays and stay where they are until they are looked at; a state that is
    kept stays as it was.
    """

  def flush(self):
    """Before a checkpoint: from here a run that is taken up writes all that comes later anew."""

  def close(self):
    """When the run ends, however it does."""


def check(own: Sequence[Callback]):
  """Whether a user's callbacks are some.

  Raises:
    UserError: says which is none, and why.
  """
  if not isinstance(own, Sequence):
    raise errors.UserError(f'callbacks is {errors.shortened(own)}; give a list of them')
  for callback in own:
    if isinstance(callback, type):  # Whose methods are there, and lack their object.
      raise errors.UserError(f'callback {callback.__name__} is a class; give an object of it')
    lacking = [name for name in _METHODS if not callable(getattr(callback, name, None))]
    if lacking:
      raise errors.UserError(f'callback {errors.shortened(callback)} has no {lacking[0]}; give '
                             'objects with write(state, rows), flush() and close()')


@contextlib.contextmanager
def opened(
    workdir: Workdir, trainer: Trainer, iteration: int, digest: np.ndarray | None,
    own: Sequence[Callback],
    show_progress: bool = True,
) -> Iterator[tuple[metrics.Log, list[Callback]]]:
  """The log of a run that stands at `iteration`, and all callbacks, of which it is the first.

  Args:
    workdir: of the run.
    trainer: of the run.
    iteration: what comes later is written anew.
    digest: of the log up to there; None for a run that has saved nothing yet.
    own: a user's; they come last.
    show_progress: whether one of ours tells how the run is doing.

  Raises:
    UserError: ours cannot write. Errors of a user's own come as they are.
  """
  ours: list[Callable[[], Callback]] = []
  if board.INSTALLED:
    ours = [lambda: overview.Scalars(workdir, trainer.config, iteration),
            lambda: overview.Overview(workdir, trainer, iteration)]
  else:
    progress.say('no TensorBoard files are written; for these run: pip install tensorboardX')
  if show_progress:
    ours.append(lambda: progress.Progress(iteration, trainer.config.max_iterations))
  with contextlib.ExitStack() as stack:
    for callback in own:
      stack.callback(callback.close)
    with workdir.writing():
      log = metrics.Log(workdir, iteration, digest)
    opened = [_open(lambda: log, workdir, stack), *(_open(make, workdir, stack) for make in ours)]
    yield log, [*opened, *own]


def _open(make, workdir, stack) -> Callback:
  with workdir.writing():
    callback = _Ours(make(), workdir)
  stack.callback(callback.close)
  return callback


class _Ours:
  """A callback that tells in a line what the disk says."""

  def __init__(self, callback: Callback, workdir: Workdir):
    self._callback, self._workdir = callback, workdir

  def write(self, state, rows):
    with self._workdir.writing():
      self._callback.write(state, rows)

  def flush(self):
    with self._workdir.writing():
      self._callback.flush()

  def close(self):
    with self._workdir.writing():
      self._callback.close()
