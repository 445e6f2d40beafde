"""Trains fresh solvers on an encoder taken over from a trained model, frozen by default.

  python -m experiments.transfer --encoder=/tmp/joint --task=odd_recall --workdir=/tmp/odd
"""

import pathlib

from absl import flags

from experiments import cli
from experiments import report
from maes_jax import trained
from maes_jax.training import loop
from maes_jax.training.workdir import Workdir

_WORKDIR = cli.define_folder('workdir', 'Folder of the run.')
cli.define_config_flags()
cli.define_training_flags()
flags.mark_flag_as_required('encoder')


def main():
  config = cli.config_from_flags()
  encoder = trained.load_encoder(config)
  workdir = Workdir(pathlib.Path(_WORKDIR.value))
  with workdir.claim(config):
    state = loop.train(config, workdir, {'encoder': encoder}, **cli.training_options())
  print(report.population(state))


if __name__ == '__main__':
  cli.run(main)
