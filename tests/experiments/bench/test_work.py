"""The count on paper against XLA's, and against what must hold of any count."""

import jax
import jax.numpy as jnp
import pytest

from experiments.bench import ours
from experiments.bench import work
from maes_jax.cells import maes

SIZES = [(30, work.OUTPUTS), (1024, work.OUTPUTS), (256, 0)]  # Addresses, outputs.


def step(addresses, outputs):
  """One step as a function of parameters and state, and the two."""
  module = maes.Maes(outputs, work.WIDTH, work.UNITS, shift_range=work.TAPS // 2)
  state = module.initial_state(addresses)
  params = module.init(jax.random.key(0), state, jnp.zeros(work.INPUTS))
  return lambda params, state: module.apply(params, state, jnp.ones(work.INPUTS)), params, state


def counted(function, *args):
  """XLA's count of a compiled program, transcendental functions as one operation each."""
  cost = jax.jit(function).lower(*args).compile().cost_analysis()
  return cost['flops'] + cost['transcendentals']


@pytest.mark.parametrize('sizes', SIZES)
def test_forward_is_what_xla_counts_within_a_third(sizes):
  function, *args = step(*sizes)
  assert work.step(*sizes)[0].flops == pytest.approx(counted(function, *args), rel=1 / 3)


@pytest.mark.parametrize('sizes', SIZES)
def test_forward_and_backward_are_what_xla_counts_within_a_half(sizes):
  """XLA fuses parts of the forward pass into the backward pass and so computes them twice."""
  function, *args = step(*sizes)
  ones = jax.tree.map(jnp.ones_like, function(*args))

  def pull(params, state, ones):
    return jax.vjp(function, params, state)[1](ones)
  paper = sum(part.flops for part in work.step(*sizes))
  assert paper == pytest.approx(counted(pull, *args, ones), rel=1 / 2)


@pytest.mark.parametrize('sizes', SIZES)
def test_the_layers_have_as_many_weights_as_the_cell(sizes):
  _, params, _ = step(*sizes)
  kernels = [leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim == 2]
  assert work.weights(sizes[1]) == sum(kernels)


def test_bytes_of_a_step_by_hand():
  """N = 2, W = 10 and an encoder's layers, 25 seen by 29 given: 725 weights."""
  forward, backward = work.step(2, outputs=0, batch=5)
  assert forward.bytes == 4 * (2 * 20 + 2 * 2 + 725 / 5)
  assert backward.bytes == 4 * (3 * 20 + 3 * 2 + 3 * 725 / 5)


def test_the_limit_is_the_tightest_of_the_three():
  assert work.Work(flops=10., bytes=100.).seconds(5., 10., 1.) == 10
  assert work.Work(flops=100., bytes=10.).seconds(5., 10., 1.) == 20
  assert work.Work(flops=100., bytes=10., shared_bytes=30.).seconds(5., 10., 1.) == 30


def test_the_lstm_has_as_many_weights_as_ours_and_reads_them_as_often_as_it_must():
  _, params = ours.untrained('lstm')
  before, below = work.lstm_weights()
  sizes = {name: layer['kernel'].size for name, layer in params['encoder'].items()}
  assert before == sum(size for name, size in sizes.items() if name.endswith('before'))
  assert below == sum(size for name, size in sizes.items() if name.endswith('below'))
  # Of two sequences the longer reads what is for h_{t-1} twice in each of its two more steps.
  more = work.lstm_iteration(5).shared_bytes - work.lstm_iteration(4).shared_bytes
  assert more == 4 * 2 * 2 * before


def test_a_training_iteration_is_the_steps_of_encoder_and_solver():
  each = sum(part.flops for outputs in (0, work.OUTPUTS) for part in work.step(30, outputs))
  assert work.train_iteration(30, batch=1, mean_length=4).flops == 5 * each
  assert work.test_sequence(30, batch=1, length=4).flops < 5 * each / 2
