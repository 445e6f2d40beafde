"""Where a number that is no number comes from: the step that was skipped, line by line."""

import dataclasses
import pathlib
import traceback

import chex
import flax
import jax
import numpy as np
import optax

from maes_jax import errors
from maes_jax.training import optimizer
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState

_LIBRARIES = [pathlib.Path(module.__file__).parent for module in (jax, flax, optax, chex)]


def explain(trainer: Trainer, before: TrainState, after: TrainState):
  """Names the line behind the first update that was skipped in a window, if any was.

  Goes through the window of that model again, step by step, and through the step that was skipped
  operation by operation. That takes a compilation and some seconds.

  Args:
    trainer: what trained.
    before: the population before the window.
    after: the population after it.

  Raises:
    UserError: an update was skipped; the message names model, iteration and line.
  """
  skipped = optimizer.skipped(after.optimizer) > optimizer.skipped(before.optimizer)
  if skipped.any():
    k = int(skipped.argmax())
    alone = dataclasses.replace(trainer, devices=trainer.devices[:1])
    found = _where(alone, jax.tree.map(lambda leaf: leaf[k], before))
    raise errors.UserError(f'model {k}, {found}; the checkpoint before it is kept, without '
                           '--debug_nans such updates are skipped')


def _where(trainer, state) -> str:
  """Iteration and line of the first step of one model's window whose update is skipped."""
  step, begun = jax.jit(trainer.iterate), trainer.begun(state, state.iteration)
  carry = begun.params, begun.optimizer
  for iteration in state.iteration + np.arange(trainer.window_size, dtype=np.int32):
    (params, opt_state), _ = step(carry, state.seed, iteration)
    if optimizer.skipped(opt_state) > optimizer.skipped(carry[1]):
      return f'iteration {iteration}: {_source(trainer, carry, state.seed, iteration)}'
    carry = params, opt_state
  return (f'iterations {state.iteration} to {iteration}: an update that was not finite on several '
          'devices is finite on one alone')


def _source(trainer, *step) -> str:
  try:
    with jax.disable_jit(), jax.debug_nans(True):
      trainer.iterate(*step)
  except FloatingPointError as error:
    frames = traceback.extract_tb(error.__traceback__)
    *_, last = [frame for frame in frames if not _is_of_library(pathlib.Path(frame.filename))]
    return f'{str(error).splitlines()[0]} in {last.name}, {last.filename}:{last.lineno}'
  return 'a number is infinite, none is NaN'


def _is_of_library(path):
  return any(path.is_relative_to(library) for library in _LIBRARIES)
