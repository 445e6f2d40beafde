"""Our side of the rows: training a population, the long test, logits for the comparison."""

from collections.abc import Mapping
import pathlib
from typing import Any

import chex
import jax
import jax.numpy as jnp

from . import timing
from maes_jax import devices
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import models
from maes_jax import families
from maes_jax import phases
from maes_jax import randomness
from maes_jax import tasks
from maes_jax import trained
from maes_jax.config import Config
from maes_jax.config import WINDOW
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params
from maes_jax.training.trainer import Trainer

TASK = 'serial_recall'
ADDRESSES = Config().memory
CHECKPOINT = pathlib.Path('checkpoints/E_S')
NEVER_DONE: dict[str, Any] = {'stop_loss': 0., 'max_iterations': 10**9}
_AS_PEERS = {'transformer': {'position': 'none'}}  # Options of a cell that its peer is without.


def config(model: str = 'maes', cell: Mapping[str, Any] | None = None, **options) -> Config:
  """Training as the paper has it, lengths 3 to 20 from the start, that never ends."""
  return families.resolve(Config(
      model=model, task=(TASK,), recipe='plain', phase_bit=False,
      cell={**_AS_PEERS.get(model, {}), **(cell or {})}, **NEVER_DONE, **options))


def training(
    model: str = 'maes', seeds: int = 1, batch: int = 1, window: int = WINDOW,
    device_count: int | None = None, **options,
) -> timing.Workload:
  """Windows of iterations of a population; a unit is one iteration of one model."""
  settings = config(model, seeds=seeds, batch_size=batch, **options)
  trainer = Trainer(settings, models.build(settings), window_size=window,
                    devices=devices.first(device_count))
  state = trainer.init()

  def run():
    nonlocal state
    state = trainer.train_population(state)
    return float(jnp.mean(state.loss))
  return timing.Workload(run, seeds * window)


def testing(addresses: int = 1024, length: int = 1000, batch: int = 32) -> timing.Workload:
  """A batch of long sequences through a trained model; a unit is one sequence.

  Raises:
    UserError: the model is not right on every bit: then its speed means nothing.
  """
  restored = trained.load(CHECKPOINT)
  tester = evaluation.Tester(restored.model, tasks.get(TASK), length, addresses, batch)

  def run():
    counts = tester.test(restored.params, length, batches=1)
    if counts.bits_right != counts.bits:
      raise errors.UserError(f'{CHECKPOINT} has {counts.bits - counts.bits_right} of '
                             f'{counts.bits} bits wrong; use a model that has none')
  return timing.Workload(run, batch)


def untrained(name: str, **cell) -> tuple[Model, Params]:
  """A model with such options of its cell as it is before training."""
  model = models.build(config(name, cell))
  return model, model.init(randomness.key(0, randomness.Stream.INIT))


def logits(model: Model, params: Params, main: chex.Array, aux: chex.Array, addresses: int):
  """Answers [T, B, Y] to sequences main and aux [T, B, X] without padding."""
  steps = jnp.int32(len(main))

  def answer(main, aux):
    program = phases.Phase(main, steps), phases.Phase(aux, steps, cell=phases.SOLVER)
    _, (answers,) = model.run(params, TASK, program, addresses)
    return answers.output
  return jax.vmap(answer, in_axes=1, out_axes=1)(main, aux)
