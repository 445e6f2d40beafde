"""Large memories and long sequences: every number stays a number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import families
from maes_jax import models
from maes_jax import randomness
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import losses

MODELS = sorted(families.FAMILIES)


def loss_and_gradient(name, length, addresses):
  """Of a fresh model on one random sequence."""
  task = tasks.get('serial_recall')
  model = models.build(Config(model=name, task=(task.name,)))
  params = model.init(jax.random.key(0))
  episode = tasks.sample(task, randomness.key(0, randomness.Stream.TEST), length, length)

  def loss(params):
    logits = model.answer(params, {task.name: episode}, addresses)
    return losses.loss(logits, {task.name: episode}, {task.name: 1.})

  return jax.jit(jax.value_and_grad(loss))(params)


def assert_finite(loss, gradient):
  assert jnp.isfinite(loss)
  norm = sum(np.abs(leaf).sum() for leaf in jax.tree.leaves(gradient))
  assert np.isfinite(norm)
  assert norm > 0


@pytest.mark.parametrize('name', MODELS)
def test_a_memory_of_4096_addresses(name):
  assert_finite(*loss_and_gradient(name, length=2, addresses=4096))


def test_a_sequence_of_10000_items():
  """Through a memory that it goes round many times; the other models take minutes for it."""
  assert_finite(*loss_and_gradient('maes', length=10_000, addresses=64))
