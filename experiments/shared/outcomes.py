"""What came out of a training run, seed by seed, as records hold it."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from maes_jax.evaluation import Counts
from maes_jax.training.metrics import Row
from maes_jax.training.trainer import NEVER
from maes_jax.training.trainer import TrainState


def models(population: TrainState) -> list[TrainState]:
  """The models of a population, one by one."""
  return [jax.tree.map(lambda leaf: leaf[k], population)  # noqa: B023
          for k in range(len(population.seed))]


def trained(state: TrainState, rows: Sequence[Row]) -> dict[str, Any]:
  """How training went for one model; `rows` are those that it logged."""
  validated = {name: value for name, value in rows[-1].items() if '/' in name}
  return {
      'seed': int(state.seed), 'iterations': int(state.iteration),
      'converged': or_none(state.converged), 'first_batch': or_none(state.first_batch),
      'loss': float(state.loss), 'best_loss': min(row['loss'] for row in rows),
      'validation_loss': float(state.validation_loss), **validated}


def or_none(iteration) -> int | None:
  """An iteration, None where it never came."""
  return None if iteration == NEVER else int(iteration)


def curve(counts: Mapping[int, Counts]) -> dict[str, float]:
  """By length the share of units that are right."""
  return {str(length): c.units_right / c.units for length, c in counts.items()}
