"""How far results on an accelerator lie from those of a CPU."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from . import ours
from .timing import Record
from maes_jax import models
from maes_jax import tasks
from maes_jax import trained
from maes_jax.training.trainer import Trainer

# Of the products of matrices, as JAX has it; by default a card computes those of single precision
# with fewer digits where it has units for that.
DEFAULT, HIGHEST = 'default', 'highest'
LENGTH, ADDRESSES, SEQUENCES = 1000, 1024, 32


def measure() -> Record:
  """By precision: after training, and in the answers of a shipped model at length 1000."""
  return {
      'training': {precision: training(precision) for precision in (DEFAULT, HIGHEST)},
      'answers': {f'float32, {precision}': answers(precision) for precision in (DEFAULT, HIGHEST)}
                 | {'bfloat16': answers(DEFAULT, jnp.bfloat16)}}


def training(precision: str, iterations: int = 100) -> float:
  """The largest difference in a parameter of four models after so many iterations."""
  settings = ours.config(seeds=4)

  def params(device):
    trainer = Trainer(settings, models.build(settings), window_size=iterations, devices=[device])
    return jax.device_get(trainer.train_population(trainer.init()).params)
  with jax.default_matmul_precision(precision):
    return _difference(*map(params, _devices()))


def answers(precision: str, dtype: chex.ArrayDType = jnp.float32) -> Record:
  """The largest difference in a logit, and the bits that are right on the accelerator."""
  restored, task = trained.load(ours.CHECKPOINT), tasks.get(ours.TASK)
  keys = jax.random.split(jax.random.key(0), SEQUENCES)
  batch = tasks.sample_batch(task, keys, jnp.full(SEQUENCES, LENGTH), LENGTH, tasks.HELD_OUT)
  params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), restored.params)
  answer = jax.jit(lambda params, batch: restored.model.answer_batch(
      params, {task.name: batch}, ADDRESSES)[task.name])

  def logits(device):
    return jax.device_get(answer(*jax.device_put((params, batch), device))).astype(np.float32)
  with jax.default_matmul_precision(precision):
    card, cpu = map(logits, _devices())
  right = (card > 0) == (np.asarray(batch.targets) > 0)
  mask = np.asarray(batch.mask)
  return {'difference': _difference(card[mask], cpu[mask]), 'right': float(right[mask].mean())}


def _devices():
  return jax.devices()[0], jax.devices('cpu')[0]


def _difference(one, other):
  return max(float(np.max(np.abs(a - b)))
             for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))
