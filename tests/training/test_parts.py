"""Parts of populations and of batches give what the whole gives."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import devices
from maes_jax import models
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import losses
from maes_jax.training import parts

PAIR = ('sequence_equality', 'serial_recall')  # Very different numbers of answers.


def always(model):
  del model
  return jnp.array(True)


def one_device(models=1, batch=1):
  return devices.mesh(models, batch, jax.devices()[:1])


@pytest.mark.parametrize('size, shares, parts_of_4', [
    (64, 1, 16), (64, 2, 8), (64, 8, 2), (10, 1, 2), (10, 2, 1), (7, 1, 1), (1, 1, 1), (12, 3, 1)])
def test_parts_are_even_and_no_device_gets_fewer_than_4_of_one(size, shares, parts_of_4):
  assert parts.count(size, shares, least=4) == parts_of_4


def test_an_accelerator_takes_all_at_once(monkeypatch):
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert parts.count(64, 1, least=4) == 1


@pytest.mark.parametrize('size', [1, 5, 12])
def test_a_population_in_turns_keeps_its_order(size):
  population = {'a': np.arange(size * 2.).reshape(size, 2), 'b': np.arange(size)}
  function = lambda model: {'a': 2 * model['a'], 'b': model['b'] + model['a'].sum().astype(int)}
  found = jax.jit(parts.by_model(function, always, one_device(size)))(population)
  chex.assert_trees_all_equal(found, jax.vmap(function)(population))


def test_a_turn_without_an_active_model_is_left_out():
  """Of two turns of four; in the second a single model is active, and all four are computed."""
  active, double = lambda model: model == 5, lambda model: 2 * model
  found = jax.jit(parts.by_model(double, active, one_device(8)))(jnp.arange(8))
  np.testing.assert_array_equal(found, [0, 1, 2, 3, 8, 10, 12, 14])


@pytest.mark.parametrize('shares', [1, 2])
def test_what_all_models_share_stays_one_number_on_every_device(shares):
  """A loop whose length is the same for all: `vmap` must not make a length of each model's own."""
  mesh = jax.sharding.AbstractMesh((shares, 1), (devices.MODELS, devices.BATCH))

  def train(population, steps):
    function = lambda model: jax.lax.fori_loop(0, steps, lambda i, x: x + i, model)
    return parts.by_model(function, lambda model: model > 0, mesh)(population)

  program = str(jax.make_jaxpr(train)(jnp.arange(8), 5))
  assert re.findall(r'cond_jaxpr=\{ lambda ;.*?let\s+\w+:(\S+) =', program) == ['bool[]']


@pytest.mark.parametrize('numbers, turns', [(parts.LARGE // 4, 2), (parts.LARGE // 4 + 1, 8)])
def test_large_models_take_turns_one_by_one(numbers, turns):
  population = jax.ShapeDtypeStruct((8, numbers), jnp.float32)
  program = jax.make_jaxpr(parts.by_model(jnp.negative, always, one_device(8)))(population)
  loops = [equation.params['length'] for equation in program.eqns
           if equation.primitive.name == 'scan']
  assert loops == [turns]


def test_every_device_has_a_share_of_each_part():
  """Three parts of 16, sorted by length; device d gets the d-th 4 of each, part after part."""
  lengths = jnp.arange(48)[::-1] // 2
  mesh = jax.sharding.AbstractMesh((1, 4), (devices.MODELS, devices.BATCH))
  dealt = lengths[parts.order(lengths, mesh)].reshape(4, 3, 4)
  np.testing.assert_array_equal(dealt.swapaxes(0, 1).ravel(), np.sort(lengths))


def test_parts_of_a_batch_add_up():
  """Two parts, in which the tasks have other numbers of answers."""
  model = models.build(Config(task=PAIR))
  params = model.init(jax.random.key(0), tasks.INPUTS)
  lengths, keys = jnp.array([1, 1, 2, 3, 3, 5, 6, 6]), jax.random.split(jax.random.key(1), 8)
  batch = {name: tasks.sample_batch(tasks.get(name), keys, lengths, 7) for name in PAIR}

  def loss(params, episodes, answers=None, steps=None):
    logits = model.answer_batch(params, episodes, 9, steps=steps)
    return losses.loss(logits, episodes, dict(zip(PAIR, (.25, .75))), answers)

  mesh = one_device(batch=8)
  ours = jax.jit(lambda params: parts.value_and_grad(loss, params, batch, mesh))(params)
  whole = jax.jit(jax.value_and_grad(loss))(params, batch)
  chex.assert_trees_all_close(ours, whole, rtol=1e-5, atol=1e-6)
