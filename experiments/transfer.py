"""Trains fresh solvers on an encoder taken over from a trained model, frozen by default.

  python -m experiments.transfer --encoder=/tmp/joint --task=odd_recall --workdir=/tmp/odd
"""

from absl import flags

from . import cli
from . import output
from . import report
from maes_jax import devices
from maes_jax.training import run

_WORKDIR = cli.define_folder('workdir', 'Folder of the run.')
cli.define_config_flags()
cli.define_training_flags()
flags.mark_flag_as_required('encoder')


def main():
  state = run.train(cli.config_from_flags(), _WORKDIR.value, **cli.training_options())
  if devices.leads():
    output.show(report.population(state))


def program():
  """The program `maes-transfer`."""
  cli.run(main)


if __name__ == '__main__':
  program()
