"""A training run from a config and a folder: what the binaries and a user's program call."""

from collections.abc import Sequence
import contextlib
import pathlib
from typing import Any

import jax
from jax import lax

from maes_jax import devices
from maes_jax import errors
from maes_jax import models
from maes_jax import families
from maes_jax import randomness
from maes_jax import tasks
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

_TRIED = 256  # Sequences by which it is told whether a task asks anything.


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
    UserError: sizes that do not go together or that there is no room for, a task that asks nothing,
      more devices than there are, a folder of another run or one that cannot be written. Nothing
      has been written then.
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
  _check_asked(config)
  workdir = Workdir(pathlib.Path(path))
  with interrupts.graceful(), _claimed(workdir, config, pretrained) as workdir:
    devices.wait_for_all('claimed')
    return loop.train(trainer, workdir, pretrained, callbacks=callbacks, **options)


def _check_asked(config):
  """Whether anything is asked of the longest sequences, at first, later and in validation."""
  for name in config.task:
    for split, *options in ((tasks.TRAINING, 'start_length', 'max_length'),
                            (tasks.HELD_OUT, 'validation_length')):
      asks = _asks(tasks.get(name), getattr(config, options[-1]), split)
      for option in options:
        _refuse_silence(name, option, getattr(config, option), asks)


def _refuse_silence(name, option, length, asks):
  if not asks(length):
    raise errors.UserError(
        f'task {name!r} asks nothing about sequences of {length:,} items, so that nothing can be '
        f'learnt from them; use another {option}, or give it a mask that is True somewhere')


def _asks(task, max_length, split):
  """Compiled: length -> whether any answer counts in one of `_TRIED` sequences."""
  def any_of(length):
    keys = jax.random.split(randomness.key(0, randomness.Stream.TEST), _TRIED)
    one = lambda key: tasks.sample(task, key, length, max_length, split).mask.any()
    return lax.map(one, keys).any()  # One by one: there may be room for few at a time.
  return jax.jit(any_of)


def _claimed(workdir, config, pretrained):
  """The workdir, in the process that writes as its own."""
  return (workdir.claim(config, pretrained) if devices.leads() else
          contextlib.nullcontext(workdir))
