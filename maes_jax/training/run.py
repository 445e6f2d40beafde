"""A training run from a config and a folder: what the binaries and a user's program call."""

import contextlib
import pathlib
from typing import Any

from maes_jax import devices
from maes_jax import models
from maes_jax import presets
from maes_jax import trained
from maes_jax.config import Config
from maes_jax.training import demand
from maes_jax.training import interrupts
from maes_jax.training import loop
from maes_jax.training.optimizer import Optimizer
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState
from maes_jax.training.workdir import Workdir


def train(config: Config, path: str | pathlib.Path, optimizer: Optimizer = None,
          device_count: int | None = None, **options: Any) -> TrainState:
  """Trains, or goes on training, the run of `config` in the folder `path`.

  Args:
    config: what to train and how; what it leaves open, the recipe fills in. With an `encoder`
      that one is taken over, and frozen unless the config unfreezes it.
    path: a new folder, or that of a run of this config. `maes_jax.load(path)` then gives the
      best model.
    optimizer: one's own instead of Adam on clipped gradients: any Optax transformation, or a
      function from the config to one. No file names it: a run goes on only where it is given again.
    device_count: how many devices share the work; None for all there are.
    **options: of `loop.train`, how the run goes about it.

  Returns:
    The population when every model is done, an axis for its models on every leaf.

  Raises:
    UserError: sizes that do not go together or that there is no room for, more devices than there
      are, a folder of another run or one that cannot be written. Nothing has been written then.
    Interrupted: somebody asked to stop; what was trained is saved.
  """
  config = presets.resolve(config)
  models.check(config)
  on = devices.first(device_count)
  pretrained = {'encoder': trained.load_encoder(config)} if config.encoder else {}
  demand.check(Trainer(config, models.build(config), () if config.unfreeze else tuple(pretrained),
                       optimizer, devices=on), pretrained)
  workdir = Workdir(pathlib.Path(path))
  claimed = (workdir.claim(config, pretrained) if devices.leads() else
             contextlib.nullcontext(workdir))
  with interrupts.graceful(), claimed as workdir:
    devices.wait_for_all('claimed')
    return loop.train(config, workdir, pretrained, optimizer=optimizer, on=on, **options)
