"""Models one by one and microbatches give what populations and batches give as a whole."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import devices
from maes_jax import encoder_solver
from maes_jax import models
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import losses
from maes_jax.training import microbatches

PAIR = ('sequence_equality', 'serial_recall')  # Very different numbers of answers.


def always(model):
  del model
  return jnp.array(True)


@pytest.mark.parametrize('more, count', [(0, 64), (1, 1)])
def test_a_large_model_takes_its_batch_at_once(more, count):
  params = {'kernel': np.zeros(microbatches.LARGE_MODEL_BYTES + more, np.int8)}
  assert microbatches.count(params, 64) == count


def test_an_accelerator_takes_all_at_once(monkeypatch):
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert microbatches.count({'kernel': np.zeros(1, np.int8)}, 64) == 1
  train = microbatches.by_model(jnp.negative, always)
  assert 'scan' not in str(jax.make_jaxpr(train)(jnp.arange(8)))


@pytest.mark.parametrize('size', [1, 5, 12])
def test_a_population_keeps_its_order(size):
  population = {'a': np.arange(size * 2.).reshape(size, 2), 'b': np.arange(size)}
  function = lambda model: {'a': 2 * model['a'], 'b': model['b'] + model['a'].sum().astype(int)}
  found = jax.jit(microbatches.by_model(function, always))(population)
  chex.assert_trees_all_equal(found, jax.vmap(function)(population))


def test_a_model_that_is_done_is_left_out():
  active, double = lambda model: model == 5, lambda model: 2 * model
  found = jax.jit(microbatches.by_model(double, active))(jnp.arange(8))
  np.testing.assert_array_equal(found, [0, 1, 2, 3, 4, 10, 6, 7])


def test_what_all_models_share_stays_one_number(monkeypatch):
  """A loop whose length is the same for all: `vmap` must not make a length of each model's own."""
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')

  def train(population, steps):
    function = lambda model: jax.lax.fori_loop(0, steps, lambda i, x: x + i, model)
    return microbatches.by_model(function, lambda model: model > 0)(population)

  program = str(jax.make_jaxpr(train)(jnp.arange(8), 5))
  assert re.findall(r'cond_jaxpr=\{ lambda ;.*?let\s+\w+:(\S+) =', program) == ['bool[]']


@pytest.mark.parametrize('count', [1, 4, 8])
def test_microbatches_add_up(count, monkeypatch):
  """In each the tasks have other numbers of answers; lengths come in any order."""
  monkeypatch.setattr(microbatches, 'count', lambda *_: count)
  model = models.build(Config(task=PAIR))
  params = model.init(jax.random.key(0))
  lengths, keys = jnp.array([6, 1, 3, 2, 6, 5, 1, 3]), jax.random.split(jax.random.key(1), 8)
  batch = {name: tasks.sample_batch(tasks.get(name), keys, lengths, 7) for name in PAIR}

  def loss(params, episodes, answers=None):
    logits = model.answer_batch(
        params, episodes, 9, encoder_solver.skipping if answers else encoder_solver.unroll)
    return losses.loss(logits, episodes, dict(zip(PAIR, (.25, .75))), answers)

  mesh = devices.mesh(1, 8, jax.devices()[:1])
  ours = jax.jit(lambda params: microbatches.value_and_grad(loss, params, batch, mesh))(params)
  whole = jax.jit(jax.value_and_grad(loss))(params, batch)
  chex.assert_trees_all_close(ours, whole, rtol=1e-5, atol=1e-6)
