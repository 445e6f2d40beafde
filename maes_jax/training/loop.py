"""The one training loop: windows of a population until every model is done.

Fresh runs, resumed runs, joint training, transfer and baselines differ in what they pass in.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import dataclasses
import math
import time
from typing import Any

import jax
import numpy as np

from maes_jax import checkpoints
from maes_jax import devices
from maes_jax import errors
from maes_jax.training import callbacks as callbacks_lib
from maes_jax.training import interrupts
from maes_jax.training import metrics
from maes_jax.training import nans
from maes_jax.training import origin
from maes_jax.training import proofs
from maes_jax.training.callbacks import Callback
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState
from maes_jax.training.workdir import Workdir

SAVE_SECONDS = 20.


def train(
    trainer: Trainer,
    workdir: Workdir,
    pretrained: Mapping[str, Any] | None = None,
    *,
    callbacks: Sequence[Callback] = (),
    save_seconds: float = SAVE_SECONDS,
    seconds: float = math.inf,
    debug_nans: bool = False,
    show_progress: bool = True,
) -> TrainState:
  """Trains, or goes on training, the run in `workdir`.

  Args:
    trainer: of the run's config.
    workdir: claimed for that config, as `Workdir.claim` yields it.
    pretrained: parameters to start from by top-level key, e.g. a trained encoder.
    callbacks: that see every row after it was logged; see `callbacks.Callback`.
    save_seconds: at least this long between two checkpoints; what a kill costs at most.
    seconds: how long it may train after its first window, with which it is compiled; what is not
      done by the end of the window then under way is saved as it stands, and the same call goes
      on with it. 0: no longer than that window, and not at all where there was one before.
    debug_nans: an update that is not finite ends the run with the line it comes from.
    show_progress: tell on stderr how the run is doing.

  Returns:
    The population when every model is done, or the seconds are over, in the memory of this process.

  Raises:
    Interrupted: somebody asked to stop; what was trained is saved.
    UserError: what was saved is damaged or of another optimizer, the disk is full, or `debug_nans`
      found one; the last checkpoint is as it was, and so it is after an error of a callback.
  """
  callbacks_lib.check(callbacks)
  _check(seconds=seconds, save_seconds=save_seconds)
  with interrupts.graceful() as wish, devices.within(trainer.mesh):
    with _nothing_to_save(wish, 'stopped; run the same command again to go on'):
      state, digest = restore(trainer, workdir, pretrained or {})
    with _opened(workdir, trainer, state, digest, callbacks, show_progress) as (log, opened):
      run = _Run(trainer, workdir, wish, log, opened, save_seconds, debug_nans, seconds)
      return jax.device_get(run.to_the_end(state))


def _check(**durations):
  for name, seconds in durations.items():
    if not isinstance(seconds, int | float) or not seconds >= 0:
      raise errors.UserError(f'{name} is {errors.shortened(seconds)}; it must be a number of 0 or '
                             'more')


def iteration(state: TrainState) -> int:
  """How far the population is: the iterations of its longest-trained model."""
  return int(np.max(state.iteration))


def restore(
    trainer: Trainer, workdir: Workdir, pretrained: Mapping[str, Any],
) -> tuple[TrainState, np.ndarray | None]:
  """Where the run stands and the digest of its log up to there; a fresh population and None."""
  with workdir.writing():
    if not checkpoints.steps(workdir.checkpoints):
      return devices.fetch(trainer.init(pretrained)), None
    log = jax.ShapeDtypeStruct((metrics.DIGEST_SIZE,), np.uint8)
    like = {**trainer.abstract(pretrained)._asdict(), 'log': log}
    _check_optimizer(workdir, like['optimizer'])
    _, saved = checkpoints.restore(workdir.checkpoints, like, workdir.fingerprint)
  digest = np.asarray(saved.pop('log'))
  return TrainState(**saved), digest


def _check_optimizer(workdir, wanted):
  """Whether all that was saved is of this optimizer: its state says, a config cannot."""
  names = {f"['optimizer']{jax.tree_util.keystr(path)}"
           for path, _ in jax.tree_util.tree_leaves_with_path(wanted)}
  for saved in checkpoints.saved_digests(workdir.checkpoints).values():
    others = names ^ {name for name in saved if name.startswith("['optimizer']")}
    if others:
      raise errors.UserError(f'{workdir.path} was trained with another optimizer ({min(others)} is '
                             'in the state of only one of the two); give the one it began with, '
                             'which is ours where none is given, or use another workdir')


@contextlib.contextmanager
def _opened(workdir, trainer, state, digest, own, show_progress) -> Iterator[tuple]:
  """The log and all callbacks, in the process that writes; None and none in the others."""
  if not devices.leads():
    yield None, []
    return
  workdir.check()
  first = iteration(state)
  if trainer.active(state).any():
    with workdir.writing():
      origin.note(workdir, first, list(trainer.mesh.devices.flat))
  with callbacks_lib.opened(workdir, trainer, first, digest, own, show_progress) as opened:
    yield opened


@dataclasses.dataclass
class _Run:
  """A run that goes on."""
  trainer: Trainer
  workdir: Workdir
  wish: interrupts.Wish
  log: metrics.Log | None
  callbacks: Sequence[Callback]
  save_seconds: float
  debug_nans: bool
  seconds: float
  end: float | None = None  # When they are over; None until a window is done.

  def to_the_end(self, state):
    """Window after window until every model is done or time is up; the last state."""
    saved, clock, placed = None, time.monotonic(), self.trainer.place(state)
    first = iteration(state)
    while self.trainer.active(state).any() and not self._over(state):
      with self._not_begun(first) if iteration(state) == first else contextlib.nullcontext():
        placed, state, rows = self._window(placed, state)
      self._record(state, rows)  # The first record compiles its picture.
      self.end = self.end or time.monotonic() + self.seconds
      stop = devices.any_process(self.wish.stop)  # Once: a signal may come at any line.
      if stop or devices.any_process(time.monotonic() - clock >= self.save_seconds):
        saved, clock = self._save(state), time.monotonic()
      if stop:
        raise interrupts.Interrupted(
            f'stopped at iteration {saved}, all saved; run the same command again to go on')
    if saved != iteration(state):
      self._save(state)
    return state

  def _over(self, state):
    """Whether time is up."""
    if self.end is None:
      return iteration(state) > 0 and not self.seconds
    return devices.any_process(time.monotonic() >= self.end)

  def _not_begun(self, first):
    return _nothing_to_save(
        self.wish, f'stopped at iteration {first}, where it was taken up; run the same command '
        'again to go on' if first else
        'stopped before the first window was trained; run the same command again to start')

  def _window(self, placed, before):
    """Trains one window and validates the models that are due: on schedule, or just done.

    Returns the population on the devices, the same as this process sees it, and the rows.
    """
    placed = self.trainer.train_population(placed)
    state = _seen(placed)
    if self.debug_nans:
      nans.explain(self.trainer, before, state)
    due = self._due(before, state)
    if not due.any():
      return placed, state, metrics.rows(before, state, {}, due, {})
    losses, counts = self.trainer.validate_population(placed)
    looked = proofs.look(self.trainer, state, due)
    placed = self.trainer.record_validation(placed, losses, due, looked.certified)
    state = _seen(placed)
    rows = metrics.rows(before, state, devices.fetch(counts), due, looked.still_open)
    return placed, state, rows

  def _due(self, before, state):
    """Which models to validate [K]."""
    every = self.trainer.config.validate_every
    on_schedule = state.iteration // every > before.iteration // every
    just_done = ~np.asarray(self.trainer.active(state))
    return np.asarray(self.trainer.active(before)) & (on_schedule | just_done)

  def _record(self, state, rows):
    self.workdir.check()
    for callback in self.callbacks:
      callback.write(state, rows)

  def _save(self, state):
    """Saves, in the process that writes; returns where the run stands."""
    self.workdir.check()
    for callback in self.callbacks:  # First: a restored run finds every row up to its iteration.
      callback.flush()
    if self.log:
      tree = {**jax.device_get(state)._asdict(), 'log': self.log.digest()}
      with self.workdir.writing():
        checkpoints.save(self.workdir.checkpoints, iteration(state), tree,
                         self.workdir.fingerprint, self.workdir.check)
    devices.wait_for_all('saved')
    return iteration(state)


def _seen(placed):
  """A population as a process sees it: what other processes have part of is fetched whole.

  With one process all but a number a model stays on its devices until somebody looks at it.
  """
  if jax.process_count() > 1:
    return devices.fetch(placed)
  leaves, form = jax.tree.flatten(placed)
  numbers = iter(devices.fetch([leaf for leaf in leaves if leaf.ndim <= 1]))
  return form.unflatten([next(numbers) if leaf.ndim <= 1 else leaf for leaf in leaves])


def _nothing_to_save(wish, message):
  """Until the first window is done, as to compile one takes seconds; of several processes none
  stops alone."""
  return contextlib.nullcontext() if jax.process_count() > 1 else wish.nothing_to_save(message)
