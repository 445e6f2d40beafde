"""Results as text for a terminal."""

import numpy as np

from maes_jax.training.trainer import NEVER
from maes_jax.training.trainer import TrainState


def population(state: TrainState) -> str:
  """A line per model: when it converged, its last losses; then the population in one line."""
  lines = ['model  seed  iterations  converged at  first batch at      loss  validation loss']
  lines += [_model(k, *values) for k, values in enumerate(zip(
      state.seed, state.iteration, state.converged, state.first_batch, state.loss,
      state.validation_loss))]
  converged = np.asarray(state.converged)
  done = converged[converged != NEVER]
  median = f', median {int(np.median(done)):,} iterations' if done.size else ''
  return '\n'.join([*lines, f'{done.size} of {converged.size} models converged{median}'])


def _model(k, seed, iterations, converged, first_batch, loss, validation_loss):
  return (f'{k:5}  {seed:4}  {iterations:10,}  {_when(converged):>12}  '
          f'{_when(first_batch):>14}  {loss:8.1e}  {validation_loss:15.1e}')


def _when(iteration) -> str:
  return 'never' if iteration == NEVER else f'{iteration:,}'
