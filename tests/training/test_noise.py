"""Noise of training: what it adds, where, and that nothing else knows of it."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import encoder_solver
from maes_jax import families
from maes_jax import models
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import noise
from maes_jax.training.trainer import Trainer

TASK = 'prefix_equality'
ADDRESSES = 8
WAYS = {'all': encoder_solver.unroll, 'skipping': encoder_solver.skipping}


@functools.cache
def prepared(amount=2.):
  model = models.build(Config(task=(TASK,), solver={'noise': amount}))
  return model, model.init(jax.random.key(0))


@functools.cache
def batch():
  keys = jax.random.split(jax.random.key(1), 4)
  return {TASK: tasks.sample_batch(tasks.get(TASK), keys, jnp.array([2, 6, 5, 6]), 6)}


def answers(amounts, seed=0, unroll=encoder_solver.unroll):
  model, params = prepared()
  keys = jax.random.split(jax.random.key(seed), 4)
  return noise.answer_batch(
      model, params, batch(), ADDRESSES, unroll, keys, jnp.array(amounts))[TASK]


def test_the_same_noise_at_each_step_is_another_bias():
  model, params = prepared()
  cell, params = model.cell(TASK), params['solvers'][TASK]
  state, inputs = cell.initial_state(ADDRESSES), jax.random.normal(jax.random.key(2), (7, 10))
  added = jnp.array([1., -2., 0., .5, 3.])
  hidden = {**params['hidden'], 'bias': params['hidden']['bias'] + added}
  wanted, steps = cell.unroll({**params, 'hidden': hidden}, state, inputs)
  found, disturbed = cell.unroll(params, state, inputs, noise={'units': jnp.tile(added, (7, 1))})
  np.testing.assert_allclose(found.hidden, wanted.hidden, rtol=1e-5)
  np.testing.assert_allclose(disturbed.output, steps.output, rtol=1e-4)


def test_the_same_noise_of_the_head_is_another_bias():
  model = models.build(Config(task=(TASK,), solver={'head': 'jump'}))
  cell, params = model.cell(TASK), model.init(jax.random.key(0))['solvers'][TASK]
  state, inputs = cell.initial_state(ADDRESSES), jax.random.normal(jax.random.key(2), (7, 10))
  added = jnp.array([1., -2., 0., .5, 3.])  # The gate of the jump, three of the kernel, gamma.
  bias = params['interface']['bias'].at[-5:].add(added)
  interface = {**params['interface'], 'bias': bias}
  wanted, steps = cell.unroll({**params, 'interface': interface}, state, inputs)
  found, disturbed = cell.unroll(params, state, inputs, noise={'head': jnp.tile(added, (7, 1))})
  chex.assert_trees_all_close((found, disturbed), (wanted, steps), rtol=1e-5, atol=1e-6)
  assert np.abs(found.attention - cell.unroll(params, state, inputs)[0].attention).max() > .01


def test_noise_of_the_head_is_drawn_by_itself():
  """Units have the same noise with it and without."""
  draw = lambda **options: models.build(Config(task=(TASK,), solver=options)).cell(
      TASK).draw_noise(jax.random.key(0), 2000)
  head, both = draw(head_noise=3.), draw(head_noise=3., noise=1.)
  assert set(head) == {'head'} and head['head'].shape == (2000, 4)
  np.testing.assert_allclose(np.cov(head['head'].T), 9 * np.eye(4), atol=1.)
  np.testing.assert_array_equal(both['head'], head['head'])
  np.testing.assert_array_equal(both['units'], draw(noise=1.)['units'])
  assert np.abs(np.corrcoef(both['head'].T, both['units'].T)[:4, 4:]).max() < .1


def test_a_cell_draws_noise_of_its_own_size_at_each_step():
  drawn = prepared(2.)[0].cell(TASK).draw_noise(jax.random.key(0), 2000)['units']
  assert drawn.shape == (2000, 5)
  np.testing.assert_allclose(np.cov(drawn.T), 4 * np.eye(5), atol=.5)
  assert prepared(0.)[0].cell(TASK).draw_noise(jax.random.key(0), 3) is None


@pytest.mark.parametrize('way', WAYS)
def test_none_of_it_leaves_the_answers_as_they_are(way):
  model, params = prepared()
  wanted = model.answer_batch(params, batch(), ADDRESSES)[TASK]
  found = answers([0.] * 4, unroll=WAYS[way])
  mask = batch()[TASK].mask
  np.testing.assert_allclose(found[mask], wanted[mask], rtol=1e-5, atol=1e-6)


def test_each_sequence_is_disturbed_in_its_own_way():
  plain, both, other = answers([0.] * 4), answers([1., 1., 0., 0.]), answers([1.] * 4, seed=1)
  assert (both[:2, 1:3] != plain[:2, 1:3]).any(axis=(1, 2)).all()
  np.testing.assert_array_equal(both[2:], plain[2:])
  assert (other[:2, 1:3] != both[:2, 1:3]).any(axis=(1, 2)).all()


def trainer(**solver):
  return Trainer(families.resolve(Config(
      task=(TASK,), memory=8, max_length=5, batch_size=3, start_min_length=1, start_length=2,
      hold=9, grow=8, validation_length=6, validation_memory=8, validation_sequences=3,
      solver=solver)), models.build(Config(task=(TASK,), solver=solver)), window_size=4)


@pytest.mark.parametrize('iteration, amount', [(0, 0.), (9, 0.), (10, .5), (11, 1.), (99, 1.)])
def test_it_grows_four_times_as_fast_as_sequences(iteration, amount):
  keys, amounts = trainer(noise=1.)._noise(0, iteration)
  np.testing.assert_allclose(amounts, [amount] * 3)
  assert len(np.unique(jax.random.key_data(keys), axis=0)) == 3


@pytest.mark.slow
def test_a_model_trains_on_it():
  """From the first iteration with longer sequences on; before, it is the same training."""
  states = {}
  for amount in (0., 1.):
    ours = trainer(noise=amount, latch=6.)
    states[amount] = [jax.device_get(ours.train_population(ours.init()))]
    for _ in range(3):
      again = jax.tree.map(jnp.array, states[amount][-1])
      states[amount].append(jax.device_get(ours.train_population(again)))
  early, late = ([states[amount][i].loss for amount in (0., 1.)] for i in (1, 3))
  np.testing.assert_allclose(*early, rtol=1e-5)
  assert np.isfinite(late).all() and late[0] != late[1]


def test_a_model_without_noise_draws_none():
  assert trainer(noise=0.)._noise(0, 30) == ()
  assert not noise.serves(models.build(Config(model='lstm', units=4)))
