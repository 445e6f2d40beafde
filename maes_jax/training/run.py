"""A training run from a config and a folder: what the binaries and a user's program call."""

from collections.abc import Sequence
import contextlib
import pathlib
from typing import Any

from maes_jax import devices
from maes_jax import models
from maes_jax import families
from maes_jax import trained
from maes_jax.config import Config
from maes_jax.training import callbacks as callbacks_lib
from maes_jax.training import demand
from maes_jax.training import interrupts
from maes_jax.training import loop
from maes_jax.training import proofs
from maes_jax.training.callbacks import Callback
from maes_jax.training.optimizer import Optimizer
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState
from maes_jax.training.workdir import Workdir


def train(
    config: Config,
    path: str | pathlib.Path,
    optimizer: Optimizer = None,
    callbacks: Sequence[Callback] = (),
    *,
    device_count: int | None = None,
    **options: Any,
) -> TrainState:
  """Trains, or goes on training, the run of `config` in the folder `path`.

  Args:
    config: what to train and how; what it leaves open, the recipe fills in. With an `encoder`
      that one is taken over, and frozen unless the config unfreezes it.
    path: a new folder, or that of a run of this config. `maes_jax.load(path)` then gives the
      best model.
    optimizer: one's own instead of Adam on clipped gradients: any Optax transformation, or a
      function from the config to one. No file names it: a run goes on only where it is given again.
    callbacks: objects with write(state, rows), flush() and close() that see every row after it was
      logged; see `callbacks.Callback`. An error of theirs ends the run as it is.
    device_count: how many devices share the work; None for all there are.
    **options: of `loop.train`, how the run goes about it.

  Returns:
    The population when every model is done, or the `seconds` among the options are over; an axis
    for its models on every leaf.

  Raises:
    UserError: sizes that do not go together or that there is no room for, more devices than there
      are, a folder of another run or one that cannot be written. Nothing has been written then. Or
      a task that asks nothing in a validation.
    Interrupted: somebody asked to stop; what was trained is saved.
  """
  config = families.resolve(config)
  models.check(config)
  model = models.build(config)
  proofs.check(config, model)
  callbacks_lib.check(callbacks)
  on = devices.first(device_count)
  pretrained = trained.load_encoder(config) if config.encoder else {}
  trainer = Trainer(config, model, () if config.unfreeze else tuple(pretrained), optimizer,
                    devices=on)
  demand.check(trainer, pretrained)
  workdir = Workdir(pathlib.Path(path))
  with interrupts.graceful(), _claimed(workdir, config, pretrained) as workdir:
    devices.wait_for_all('claimed')
    return loop.train(trainer, workdir, pretrained, callbacks=callbacks, **options)


def _claimed(workdir, config, pretrained):
  """The workdir, in the process that writes as its own."""
  return (workdir.claim(config, pretrained) if devices.leads() else
          contextlib.nullcontext(workdir))
