"""Trains fresh solvers on an encoder taken over from a trained model, frozen by default.

  python -m experiments.transfer --encoder=/tmp/joint --task=odd_recall --workdir=/tmp/odd
"""

from absl import flags

from . import train
from .shared import cli

cli.define_config_flags(of_transfer=True)
flags.mark_flag_as_required('encoder')


def main():
  train.main()


program = cli.program(main)  # `maes-transfer` where it is installed.

if __name__ == '__main__':
  program()
