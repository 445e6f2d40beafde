"""Whether there is room to train, before anything is made; see `room`."""

from collections.abc import Mapping
from typing import Any

from maes_jax import phases
from maes_jax import room
from maes_jax import shapes
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.room import Part
from maes_jax.training import microbatches
from maes_jax.training.trainer import Trainer


def check(trainer: Trainer, pretrained: Mapping[str, Any]):
  """Adds up a population, and a batch in training or a validation, whichever is larger.

  Args:
    trainer: what will train.
    pretrained: parameters to start from by top-level key.

  Raises:
    UserError: there is no room for it.
  """
  with shapes.quietly():
    population = trainer.abstract(pretrained)
  one = shapes.size(population.params) // trainer.config.seeds
  work = {'a training batch': _batch(trainer, one), 'a validation': _validation(trainer)}
  larger = max(work, key=lambda name: work[name].size)
  remedy = 'fewer seeds or a smaller model (units, width, layers)'
  room.check('this training', {
      # A window makes others of them, and leaves those that it began with.
      'parameters and optimizer': Part(2 * shapes.size(population), remedy),
      larger: work[larger]}, trainer.devices)


def _batch(trainer, params):
  """One model's gradients, its batch, and the states that a backward pass needs.

  A CPU takes models one by one, and the sequences of small ones, too.
  """
  config, on_cpu = trainer.config, trainer.devices[0].platform == 'cpu'
  sequences = 1 if on_cpu and params <= microbatches.LARGE_MODEL_BYTES else config.batch_size
  steps = max(phases.size(tasks.dry_run(tasks.get(name), config.max_length).program)
              for name in config.task)
  kept = sequences * steps * shapes.size(room.state(trainer.model, config.memory))
  drawn = config.batch_size * (3 if config.hard_batches else 1)  # The hardest, and some to try.
  one = params + kept + drawn * _episodes(config, config.max_length)
  return Part(one if on_cpu else config.seeds * one,
              'a smaller batch_size, max_length or memory')


def _validation(trainer):
  """All models at once, all sequences at once."""
  config = trainer.config
  one = (shapes.size(room.state(trainer.model, config.validation_memory)) +
         _episodes(config, config.validation_length))
  return Part(config.seeds * config.validation_sequences * one,
              'fewer seeds, or a smaller validation_sequences, validation_length or '
              'validation_memory')


def _episodes(config: Config, length: int) -> int:
  """Bytes of one sequence; the tasks share its main part."""
  return max(shapes.size(tasks.dry_run(tasks.get(name), length)) for name in config.task)
