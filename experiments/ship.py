"""Takes the best models of finished runs into checkpoints/, and proves or refutes each anew.

They are small, without paths of this machine; the verdicts lie beside them, `proof-TASK.json`.

  python -m experiments.ship --workdir=/tmp/paper
"""

from .shared import cli  # First, as signals may come while the others are imported.

import dataclasses
import pathlib

from absl import flags
import jax

from .paper import runs
from .shared import output
from .shared import proofs
import maes_jax
from maes_jax import checkpoints
from maes_jax import errors
from maes_jax import tasks
from maes_jax import trained
from maes_jax.certificates import claims
from maes_jax.training.workdir import Workdir

SHIPPED = ('E_S', 'E_R', 'E_J', 'E_J+',
           *(f'E_J-{task}' for task in (*runs.PAPER_TASKS, 'prefix_equality')))
_WORKDIR = cli.define_folder('workdir', 'Folder of the runs.')
_CHECKPOINTS = flags.DEFINE_string('checkpoints', 'checkpoints', 'Folder of shipped models.')
_ONLY = cli.define_names('only', list(SHIPPED), 'Names of runs, with commas.')


def main():
  for name in _ONLY.value:
    errors.pick('run', name, runs.RUNS)
  for name in _ONLY.value:
    ship(name, pathlib.Path(_WORKDIR.value), pathlib.Path(_CHECKPOINTS.value))
    output.show(name)


def ship(name: str, workdir: pathlib.Path, folder: pathlib.Path):
  """Copies the best model of the run `name` as a population of one, without optimizer state."""
  best = trained.load(workdir / name)
  encoder = str(folder / runs.RUNS[name].encoder) if runs.RUNS[name].encoder else None
  config = dataclasses.replace(
      best.config, seeds=1, seed=best.config.seed + best.index, encoder=encoder)
  target = Workdir(folder / name)
  alone = jax.tree.map(lambda leaf: leaf[None], best.saved)
  with target.claim(config) as target:
    for before in target.path.glob('proof-*.json'):  # Of what gives way.
      before.unlink()
    checkpoints.save(
        target.checkpoints, best.iterations, alone, target.fingerprint, target.check)
  prove(folder / name)


def prove(folder: pathlib.Path):
  """Writes the verdict on a shipped model, for each task that something is claimed about."""
  model = trained.load(folder)
  for task in map(tasks.get, sorted({*model.config.task} & claims.CLAIMS.keys())):
    proofs.write(folder / f'proof-{task.name}.json', [model], task, [maes_jax.certify(model, task)])


if __name__ == '__main__':
  cli.run(main)
