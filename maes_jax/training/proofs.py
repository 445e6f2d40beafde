"""Training until proved: looks for proofs at validations, and says what is still open."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from maes_jax import errors
from maes_jax import tasks
from maes_jax.certificates import verdict
from maes_jax.config import Config
from maes_jax.encoder_solver import Model
from maes_jax.training.trainer import Trainer
from maes_jax.training.trainer import TrainState

_NEAR = 100.  # How many times `stop_loss` a loss may be for a proof to be worth a second.


class Looked(NamedTuple):
  """What was found about a population."""
  certified: np.ndarray  # [K] whether a model is proved right, on all of its tasks
  still_open: Mapping[int, Mapping[str, str]]  # by model and task why it is not; '' where it is


def check(config: Config, model: Model):
  """Whether a run can end by proofs, if that is what it is to end by.

  Raises:
    UserError: no proof is known for its model or a task, or there are several processes.
  """
  if config.stop_on != 'certified':
    return
  for name in config.task:
    verdict.check(model, tasks.get(name))
  if jax.process_count() > 1:
    raise errors.UserError('proofs are looked for in a single process only; use one, or another '
                           'stop_on')


def look(trainer: Trainer, state: TrainState, due: np.ndarray) -> Looked:
  """Looks for proofs for those models of a population [K] that are due and near to done."""
  certified, said = np.zeros(len(due), bool), {}
  if trainer.config.stop_on == 'certified':
    near = np.asarray(state.loss) <= _NEAR * trainer.config.stop_loss
    params = jax.device_get(state.params) if (due & near).any() else None
    for k in np.flatnonzero(due & near):
      said[int(k)] = _still_open(trainer, jax.tree.map(lambda leaf, k=k: leaf[k], params))
      certified[k] = not any(said[int(k)].values())
  return Looked(certified, said)


def _still_open(trainer, params):
  return {name: verdict.still_open(trainer.model, params, tasks.get(name))
          for name in trainer.config.task}
