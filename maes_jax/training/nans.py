"""Where a number that is no number comes from: the step that was skipped, line by line."""

import pathlib
import traceback

import jax

from maes_jax import errors
from maes_jax.training import optimizer
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState

_LIBRARY = pathlib.Path(__file__).parents[1]


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
    carry, seed, iteration = _skipped_step(trainer, jax.tree.map(lambda leaf: leaf[k], before))
    raise errors.UserError(f'model {k}, iteration {int(iteration)}: '
                           f'{_source(trainer, carry, seed, iteration)}; the checkpoint before it '
                           'is kept, without --debug_nans such updates are skipped')


def _skipped_step(trainer, state):
  """The arguments of `Trainer.iterate` for the first step whose update is skipped."""
  step = jax.jit(trainer.iterate)
  carry, iteration = (state.params, state.optimizer), state.iteration
  while True:
    (params, opt_state), _ = step(carry, state.seed, iteration)
    if optimizer.skipped(opt_state) > optimizer.skipped(carry[1]):
      return carry, state.seed, iteration
    carry, iteration = (params, opt_state), iteration + 1


def _source(trainer, *step) -> str:
  try:
    with jax.disable_jit(), jax.debug_nans(True):
      trainer.iterate(*step)
  except FloatingPointError as error:
    frames = traceback.extract_tb(error.__traceback__)
    *_, last = [f for f in frames if pathlib.Path(f.filename).is_relative_to(_LIBRARY)]
    return f'{str(error).splitlines()[0]} in {last.name}, {last.filename}:{last.lineno}'
  return 'a number is infinite, none is NaN'
