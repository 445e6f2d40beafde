"""Trains a model, or a population of them, on one task or jointly on several.

  python -m experiments.train --task=serial_recall --workdir=/tmp/serial --seeds=10
  python -m experiments.train --task=serial_recall,reverse_recall --workdir=/tmp/joint

The same command again goes on where the last one stopped.
"""


from . import cli
from . import output
from . import report
from maes_jax import devices
from maes_jax.training import run

_WORKDIR = cli.define_folder('workdir', 'Folder of the run.')
cli.define_config_flags(leave_out=('encoder', 'encoder_model', 'unfreeze'))
cli.define_training_flags()


def main():
  state = run.train(cli.config_from_flags(), _WORKDIR.value, **cli.training_options())
  if devices.leads():
    output.show(report.population(state))


def program():
  """The program `maes-train`."""
  cli.run(main)


if __name__ == '__main__':
  program()
