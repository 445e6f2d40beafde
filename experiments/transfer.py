"""Trains fresh solvers on an encoder taken over from a trained model, frozen by default.

  python -m experiments.transfer --encoder=/tmp/joint --task=odd_recall --workdir=/tmp/odd
"""

from absl import flags

from experiments import cli
from experiments import report
from maes_jax.training import run

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.', required=True)
cli.define_config_flags()
flags.mark_flag_as_required('encoder')


def main():
  print(report.population(run.train(cli.config_from_flags(), _WORKDIR.value)))


if __name__ == '__main__':
  cli.run(main)
