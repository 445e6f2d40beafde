"""The one training loop: windows of a population until every model is done.

Fresh runs, resumed runs, joint training, transfer and baselines differ in what they pass in.
"""

from collections.abc import Mapping
import time
from typing import Any

import jax
import numpy as np

from maes_jax import checkpoints
from maes_jax import models
from maes_jax.config import Config
from maes_jax.training import interrupts
from maes_jax.training import metrics
from maes_jax.training import overview as overviews
from maes_jax.training.progress import Progress
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState
from maes_jax.training.workdir import Workdir

SAVE_SECONDS = 20.  # At least this long between two checkpoints; what a kill costs at most.


def train(config: Config, workdir: Workdir, given: Mapping[str, Any] | None = None) -> TrainState:
  """Trains, or goes on training, the run of `config` in `workdir`.

  Args:
    config: resolved.
    workdir: claimed for this config.
    given: parameters to start from by top-level key, e.g. a trained encoder; they are frozen
      unless the config unfreezes them.

  Returns:
    The population when every model is done.

  Raises:
    Interrupted: somebody asked to stop; all is saved.
  """
  given = given or {}
  trainer = Trainer(config, models.build(config), frozen=() if config.unfreeze else tuple(given))
  state = _start(trainer, workdir, given)
  log = metrics.Log(workdir, iteration(state))
  progress = Progress(iteration(state), config.max_iterations)
  overview = overviews.Overview(workdir.tensorboard / 'population', trainer, iteration(state))
  try:
    return _run(trainer, workdir, state, log, progress, overview)
  finally:
    overview.close()
    progress.close()
    log.close()


def iteration(state: TrainState) -> int:
  """How far the population is: the iterations of its longest-trained model."""
  return int(np.max(state.iteration))


def _start(trainer, workdir, given):
  if checkpoints.steps(workdir.checkpoints):
    _, restored = checkpoints.restore(workdir.checkpoints, trainer.abstract(given)._asdict())
    return TrainState(**restored)
  return trainer.init(given)


def _run(trainer, workdir, state, log, progress, overview):
  saved, clock = None, time.monotonic()
  with interrupts.graceful() as wish:
    while trainer.active(state).any():
      state, rows = _window(trainer, state)
      log.write(rows)
      overview.write(state, rows)
      progress.update(iteration(state), state, rows)
      if wish.stop or time.monotonic() - clock > SAVE_SECONDS:
        saved, clock = _save(workdir, state, log), time.monotonic()
      if wish.stop:
        raise interrupts.Interrupted(
            f'stopped at iteration {saved}, all saved; run the same command again to go on')
    if saved != iteration(state):
      _save(workdir, state, log)
  return state


def _window(trainer, state):
  """Trains one window and validates the models that are due: on schedule, or just done."""
  before = jax.device_get(state)
  state = trainer.train_population(state)
  active = trainer.active(before)
  on_schedule = state.iteration % trainer.config.validate_every == 0
  due = active & (on_schedule | ~trainer.active(state))
  if not due.any():
    return state, metrics.rows(before, state, {}, due)
  losses, counts = trainer.validate_population(state)
  state = trainer.take_in(state, losses, due)
  return state, metrics.rows(before, state, counts, due)


def _save(workdir, state, log):
  log.flush()  # First: a restored run finds every row up to its iteration.
  checkpoints.save(workdir.checkpoints, iteration(state), state._asdict())
  return iteration(state)
