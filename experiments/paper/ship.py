"""Takes the best model of a run into `checkpoints/`: small, and without this machine's paths."""

import dataclasses
import pathlib

import jax

from . import runs
from maes_jax import checkpoints
from maes_jax import trained
from maes_jax.training.workdir import Workdir

SHIPPED = ('E_S', 'E_R', 'E_J', *(f'E_J-{task}' for task in runs.TASKS))


def ship(name: str, workdir: pathlib.Path, folder: pathlib.Path):
  """Copies the best model of the run `name` as a population of one, without optimizer state."""
  best = trained.load(workdir / name)
  encoder = str(folder / runs.RUNS[name].encoder) if runs.RUNS[name].encoder else None
  config = dataclasses.replace(
      best.config, seeds=1, seed=best.config.seed + best.index, encoder=encoder)
  target = Workdir(folder / name)
  alone = jax.tree.map(lambda leaf: leaf[None], best.saved)
  with target.claim(config) as target:
    checkpoints.save(
        target.checkpoints, best.iterations, alone, target.fingerprint, target.check)
