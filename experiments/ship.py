"""Takes the best models of finished runs into checkpoints/.

  python -m experiments.ship --workdir=/tmp/paper
"""

import pathlib

from absl import flags

from . import cli
from . import output
from .paper import ship

_WORKDIR = cli.define_folder('workdir', 'Folder of the runs.')
_CHECKPOINTS = flags.DEFINE_string('checkpoints', 'checkpoints', 'Folder of shipped models.')
_ONLY = flags.DEFINE_list('only', list(ship.SHIPPED), 'Names of runs, with commas.')


def main():
  for name in _ONLY.value:
    ship.ship(name, pathlib.Path(_WORKDIR.value), pathlib.Path(_CHECKPOINTS.value))
    output.show(name)


if __name__ == '__main__':
  cli.run(main)
