"""The one training loop: windows of a population until every model is done.

Fresh runs, resumed runs, joint training, transfer and baselines differ in what they pass in.
"""

from collections.abc import Callable, Mapping, Sequence
import contextlib
import time
from typing import Any, NamedTuple

import jax
import numpy as np

from maes_jax import checkpoints
from maes_jax import devices
from maes_jax import errors
from maes_jax import models
from maes_jax.config import Config
from maes_jax.training import interrupts
from maes_jax.training import metrics
from maes_jax.training import nans
from maes_jax.training import optimizer as optimizers
from maes_jax.training import origin
from maes_jax.training import overview as overviews
from maes_jax.training.progress import Progress
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState
from maes_jax.training.workdir import Workdir

SAVE_SECONDS = 20.


class Watchers(NamedTuple):
  """What follows a run while it goes on."""
  log: metrics.Log
  overview: overviews.Overview
  progress: Progress
  check: Callable[[], None]  # raises where the folder is no longer the run's

  def take_in(self, state: TrainState, rows: list[metrics.Row]):
    """A window: the population after it and the rows to log."""
    self.check()
    self.log.write(rows)
    self.overview.write(state, rows)
    self.progress.update(iteration(state), state, rows)


def train(
    config: Config,
    workdir: Workdir,
    pretrained: Mapping[str, Any] | None = None,
    *,
    optimizer: optimizers.Optimizer = None,
    save_seconds: float = SAVE_SECONDS,
    debug_nans: bool = False,
    on: Sequence[jax.Device] | None = None,
) -> TrainState:
  """Trains, or goes on training, the run of `config` in `workdir`.

  Args:
    config: resolved.
    workdir: claimed for this config, as `Workdir.claim` yields it.
    pretrained: parameters to start from by top-level key, e.g. a trained encoder; they are frozen
      unless the config unfreezes them.
    optimizer: one's own, see `Trainer`. A run goes on only with the one that it began with.
    save_seconds: at least this long between two checkpoints; what a kill costs at most.
    debug_nans: an update that is not finite ends the run with the line it comes from.
    on: the devices that share the work; None for all there are.

  Returns:
    The population when every model is done, in the memory of this process.

  Raises:
    Interrupted: somebody asked to stop; what was trained is saved.
    UserError: what was saved is damaged or of another optimizer, the disk is full, or `debug_nans`
      found one; the last checkpoint is as it was.
  """
  pretrained = pretrained or {}
  trainer = Trainer(config, models.build(config), () if config.unfreeze else tuple(pretrained),
                    optimizer, devices=on or devices.first())
  try:
    with interrupts.graceful() as wish:
      with _nothing_to_save(wish, 'stopped; run the same command again to go on'):
        state, digest = restore(trainer, workdir, pretrained)
      with _watch(workdir, trainer, state, digest) as watchers:
        return _run(trainer, workdir, state, watchers, wish, save_seconds, debug_nans)
  except OSError as error:
    raise errors.UserError(
        f'cannot write in {workdir.path}: {error.strerror or error}; free some space and run the '
        'same command again to go on from the last checkpoint') from error


def iteration(state: TrainState) -> int:
  """How far the population is: the iterations of its longest-trained model."""
  return int(np.max(state.iteration))


def restore(
    trainer: Trainer, workdir: Workdir, pretrained: Mapping[str, Any],
) -> tuple[TrainState, np.ndarray | None]:
  """Where the run stands and the digest of its log up to there; a fresh population and None."""
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
  for saved in _saved_digests(workdir):
    others = names ^ {name for name in saved if name.startswith("['optimizer']")}
    if others:
      raise errors.UserError(f'{workdir.path} was trained with another optimizer ({min(others)} is '
                             'in the state of only one of the two); give the one it began with, '
                             'which is ours where none is given, or use another workdir')


def _saved_digests(workdir):
  try:
    return checkpoints.saved_digests(workdir.checkpoints).values()
  except Exception:  # pylint: disable=broad-except; orbax raises all kinds. Restoring names it.
    return ()


def _run(trainer, workdir, state, watchers, wish, save_seconds, debug_nans):
  saved, clock, placed = None, time.monotonic(), trainer.place(state)
  first = iteration(state)
  while trainer.active(state).any():
    with (_nothing_to_save(wish, _not_begun(first)) if iteration(state) == first
          else contextlib.nullcontext()):
      placed, state, rows = _window(trainer, placed, state, debug_nans)
    if watchers:
      watchers.take_in(state, rows)
    stop = devices.any_process(wish.stop)  # Looked at once: a signal may come at any line.
    if stop or devices.any_process(time.monotonic() - clock >= save_seconds):
      saved, clock = _save(workdir, state, watchers), time.monotonic()
    if stop:
      raise interrupts.Interrupted(
          f'stopped at iteration {saved}, all saved; run the same command again to go on')
  if saved != iteration(state):
    _save(workdir, state, watchers)
  return state


def _nothing_to_save(wish, message):
  """Until the first window is done, as to compile one takes seconds; of several processes none
  stops alone."""
  return contextlib.nullcontext() if jax.process_count() > 1 else wish.nothing_to_save(message)


def _not_begun(first) -> str:
  if first:
    return (f'stopped at iteration {first}, where it was taken up; run the same command again '
            'to go on')
  return 'stopped before the first window was trained; run the same command again to start'


def _window(trainer, placed, before, debug_nans):
  """Trains one window and validates the models that are due: on schedule, or just done.

  Returns the population on the devices, the same in this process's memory, and the rows.
  """
  placed = trainer.train_population(placed)
  state = devices.fetch(placed)
  if debug_nans:
    nans.explain(trainer, before, state)
  active = np.asarray(trainer.active(before))
  on_schedule = state.iteration % trainer.config.validate_every == 0
  due = active & (on_schedule | ~np.asarray(trainer.active(state)))
  if not due.any():
    return placed, state, metrics.rows(before, state, {}, due)
  losses, counts = trainer.validate_population(placed)
  placed = trainer.record_validation(placed, losses, due)
  state = devices.fetch(placed)
  return placed, state, metrics.rows(before, state, devices.fetch(counts), due)


@contextlib.contextmanager
def _watch(workdir, trainer, state, digest):
  """The watchers of the process that writes; None for the others."""
  if not devices.leads():
    yield None
    return
  workdir.check()
  first = iteration(state)
  if trainer.active(state).any():
    origin.note(workdir, first, list(trainer.mesh.devices.flat))
  with (contextlib.closing(metrics.Log(workdir, first, digest)) as log,
        contextlib.closing(overviews.Overview(workdir, trainer, first)) as overview,
        contextlib.closing(Progress(first, trainer.config.max_iterations)) as progress):
    yield Watchers(log, overview, progress, workdir.check)


def _save(workdir, state, watchers):
  """Saves, in the process that writes; returns where the run stands."""
  if watchers:
    watchers.check()
    watchers.log.flush()  # First: a restored run finds every row up to its iteration.
    watchers.overview.flush()
    tree = {**state._asdict(), 'log': watchers.log.digest()}
    checkpoints.save(workdir.checkpoints, iteration(state), tree, workdir.fingerprint,
                     workdir.check)
  devices.wait_for_all('saved')
  return iteration(state)
