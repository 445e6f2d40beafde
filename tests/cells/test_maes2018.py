"""The cell of MAES's first author against loops in double precision, and its training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maes_jax import families
from maes_jax import models
from maes_jax import phases
from maes_jax.cells import maes2018
from maes_jax.config import Config
from maes_jax.training import optimizer
from tests.cells import random_numbers
from tests.cells.single_precision import assert_stays_close
from tests.oracles import maes2018 as oracle

INPUTS, ADDRESSES = 10, 7


def cell(**options):
  return maes2018.Maes2018(**{'outputs': 3, 'width': 4, 'units': 2, **options})


def random_state(rng, module):
  read, write = random_numbers.attention(rng, 2, ADDRESSES)
  state = random_numbers.tree(rng, module.initial_state(ADDRESSES))
  return state._replace(attention=read, write=write)


@pytest.mark.parametrize('options', [{}, {'shift_range': 2, 'output_hidden': 6}], ids=str)
def test_steps_are_what_its_author_computes(options):
  rng, module = np.random.default_rng(1), cell(**options)
  with jax.enable_x64(True):
    params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
    apply = jax.jit(module.apply)
    for _ in range(5):
      before, x_t = random_state(rng, module), rng.normal(size=INPUTS)
      state, shown = apply({'params': params}, before, x_t)
      expected, logits = oracle.step(params, before, x_t)
      np.testing.assert_allclose(shown.output, logits, rtol=1e-9, atol=1e-9)
      np.testing.assert_allclose(shown.read, [expected[2]], atol=1e-9)  # where it is,
      np.testing.assert_array_equal(shown.write, [before.write])  # where it was
      for found, wanted in zip(state, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_single_precision_is_close_from_the_first_state_on():
  rng, module = np.random.default_rng(4), cell()
  params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
  params = jax.tree.map(lambda leaf: leaf / 4, params)  # Its units are linear.
  state = module.initial_state(ADDRESSES)
  np.testing.assert_allclose(state.hidden, [.01, .01])
  np.testing.assert_allclose(state.memory, np.full((4, ADDRESSES), .01))
  assert_stays_close(module, params, state, oracle.step, rng.normal(size=(12, INPUTS)))


@pytest.mark.parametrize('start', phases.STARTS)
def test_a_solver_may_read_where_the_encoder_wrote(start):
  """On a handover the head that reads starts where the last cell's wrote; the other at 0."""
  rng, module = np.random.default_rng(3), cell()
  last, before = random_state(rng, module), random_state(rng, module)
  first = module.initial_state(ADDRESSES)
  (handed, _), (_, own) = module.hand_over(last), module.hand_over(before)
  taken = module.take_over(handed, own, start)
  wanted = {phases.RESUME: before, phases.RESTART: first,
            phases.HANDOVER: first._replace(attention=last.write)}[start]
  for found, expected in zip(taken, wanted._replace(memory=last.memory), strict=True):
    np.testing.assert_array_equal(found, expected)


def test_its_authors_sizes():
  """tasks/*/build.py: 3 units, words of 10, one shift each way; Odd by two, n_back with 10."""
  chosen = models.build(Config(model='maes2018', task=(
      'serial_recall', 'odd_recall', 'sequence_comparison')))
  sizes = lambda cell: (cell.units, cell.width, cell.shift_range, cell.output_hidden)
  assert sizes(chosen.encoder) == sizes(chosen.solvers['serial_recall']) == (3, 10, 1, 0)
  assert sizes(chosen.solvers['odd_recall']) == (3, 10, 2, 0)
  assert sizes(chosen.solvers['sequence_comparison']) == (10, 10, 1, 28)


def test_its_recipe_is_its_authors():
  """tasks/*/train_config.py: Keras's RMSprop on lengths of 3 to 20, tested at 64."""
  config = families.resolve(Config(model='maes2018'))
  assert (config.learning_rate, config.b2, config.warmup, config.half_life) == (.001, .9, 0, 0)
  assert (config.start_min_length, config.start_length, config.full_range_from) == (3, 20, 0)
  assert (config.batch_size, config.validation_length, config.validation_memory) == (1, 64, 80)
  assert families.resolve(
      Config(model='maes2018', task=('sequence_equality',))).batch_size == 64


def test_it_is_trained_by_rmsprop_without_clipping():
  """By hand for g = 1000, then 1: v = .1 g^2 and .9 v + .1 g^2, steps of .001 g / sqrt(v)."""
  config = families.resolve(Config(model='maes2018'))
  params = {'encoder': {'w': jnp.zeros(1)}, 'solvers': {}}
  transform = optimizer.make(config, params, ())
  state, squares = transform.init(params), 0.
  for gradient in (1000., 1.):
    updates, state = transform.update(
        {'encoder': {'w': jnp.array([gradient])}, 'solvers': {}}, state, params)
    squares = .9 * squares + .1 * gradient**2
    np.testing.assert_allclose(
        updates['encoder']['w'], [-.001 * gradient / np.sqrt(squares)], rtol=1e-5)
  assert optimizer.skipped(state) == 0


def test_an_optimizer_of_ones_own_comes_first():
  config = families.resolve(Config(model='maes2018'))
  params = {'encoder': {'w': jnp.zeros(1)}, 'solvers': {}}
  transform = optimizer.make(config, params, (), optax.sgd(.5))
  updates, _ = transform.update(
      {'encoder': {'w': jnp.ones(1)}, 'solvers': {}}, transform.init(params), params)
  np.testing.assert_allclose(updates['encoder']['w'], [-.5])
