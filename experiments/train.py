"""Trains a model, or a population of them, on one task or jointly on several.

  python -m experiments.train --task=serial_recall --workdir=/tmp/serial --seeds=10
  python -m experiments.train --task=serial_recall,reverse_recall --workdir=/tmp/joint

The same command again goes on where the last one stopped.
"""

from .shared import cli  # First, as signals may come while the others are imported.

import numpy as np

from .shared import output
from maes_jax import devices
from maes_jax.training import optimizer
from maes_jax.training import run
from maes_jax.training.trainer import NEVER
from maes_jax.training.trainer import TrainState

_WORKDIR = cli.define_folder('workdir', 'Folder of the run.')
cli.define_config_flags()
cli.define_training_flags()


def main():
  state = run.train(cli.config_from_flags(), _WORKDIR.value, **cli.training_options())
  if devices.leads():
    output.show(report(state))


def report(state: TrainState) -> str:
  """A line per model: when it converged, its last losses; then the population in one line."""
  lines = ['model  seed  iterations  converged at  first batch at      loss  validation loss']
  failed = np.asarray(optimizer.failed(state.optimizer))
  lines += [_model(k, *values) for k, values in enumerate(zip(
      failed, state.seed, state.iteration, state.converged, state.first_batch, state.loss,
      state.validation_loss))]
  converged = np.asarray(state.converged)
  done = converged[converged != NEVER]
  median = f', median {int(np.median(done)):,} iterations' if done.size else ''
  return '\n'.join([
      *lines, f'{done.size} of {converged.size} models converged{median}',
      *_trouble(state, failed)])


def _trouble(state, failed):
  """What was not finite, where anything was."""
  skipped = int(np.sum(optimizer.skipped(state.optimizer)))
  return [f'{skipped:,} updates were not finite and skipped; {failed.sum()} models failed, with '
          f'{optimizer.TOO_MANY} such in a row; --debug_nans finds the source'] if skipped else []


def _model(k, failed, seed, iterations, converged, first_batch, loss, validation_loss):
  when = 'failed' if failed else _when(converged)
  return (f'{k:5}  {seed:4}  {iterations:10,}  {when:>12}  '
          f'{_when(first_batch):>14}  {loss:8.1e}  {validation_loss:15.1e}')


def _when(iteration) -> str:
  return 'never' if iteration == NEVER else f'{iteration:,}'


program = cli.program(main)  # `maes-train` where it is installed.

if __name__ == '__main__':
  program()
