"""The count on paper against XLA's, and against what must hold of any count."""

import jax
import jax.numpy as jnp
import pytest

from experiments.bench import work
from maes_jax.cells import maes

SIZES = [work.Sizes(addresses=30), work.Sizes(addresses=1024),
         work.Sizes(addresses=256, width=20, units=40, taps=5, outputs=0)]


def cell(sizes):
  return maes.Maes(sizes.outputs, sizes.width, sizes.units, shift_range=sizes.taps // 2)


def step(sizes):
  """One step as a function of parameters and state, and the two."""
  module = cell(sizes)
  state = module.initial_state(sizes.addresses)
  params = module.init(jax.random.key(0), state, jnp.zeros(sizes.inputs))
  return lambda params, state: module.apply(params, state, jnp.ones(sizes.inputs)), params, state


def counted(function, *args):
  """XLA's count of a compiled program, transcendental functions as one operation each."""
  cost = jax.jit(function).lower(*args).compile().cost_analysis()
  return cost['flops'] + cost['transcendentals']


@pytest.mark.parametrize('sizes', SIZES)
def test_forward_is_what_xla_counts_within_a_third(sizes):
  function, *args = step(sizes)
  assert work.forward(sizes).flops == pytest.approx(counted(function, *args), rel=1 / 3)


@pytest.mark.parametrize('sizes', SIZES)
def test_forward_and_backward_are_what_xla_counts_within_a_half(sizes):
  """XLA fuses parts of the forward pass into the backward pass and so computes them twice."""
  function, *args = step(sizes)
  ones = jax.tree.map(jnp.ones_like, function(*args))

  def pull(params, state, ones):
    return jax.vjp(function, params, state)[1](ones)
  paper = work.forward(sizes).flops + work.backward(sizes).flops
  assert paper == pytest.approx(counted(pull, *args, ones), rel=1 / 2)


@pytest.mark.parametrize('sizes', SIZES)
def test_the_layers_have_as_many_weights_as_the_cell(sizes):
  _, params, _ = step(sizes)
  kernels = [leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim == 2]
  assert sizes.weights == sum(kernels)


def test_bytes_of_a_step_by_hand():
  """N = 2, W = 1, H = 1, one tap, X = 1, Y = 0: Z = 3 and P = 1 + 2 + 1 + 1 = 5, 15 weights."""
  sizes = work.Sizes(addresses=2, width=1, units=1, taps=1, inputs=1, outputs=0)
  assert work.forward(sizes).bytes == 4 * (2 * 2 + 2 * 2 + 15)
  assert work.backward(sizes, batch=3).bytes == 4 * (3 * 2 + 3 * 2 + 15)


def test_the_limit_is_the_tighter_of_the_two():
  assert work.Work(flops=10., bytes=100.).seconds(5., 10.) == 10
  assert work.Work(flops=100., bytes=10.).seconds(5., 10.) == 20


def test_a_training_iteration_is_the_steps_of_encoder_and_solver():
  encoder, solver = work.Sizes(30, outputs=0), work.Sizes(30)
  each = sum(part(sizes).flops for part in (work.forward, work.backward)
             for sizes in (encoder, solver))
  assert work.train_iteration(30, batch=1, mean_length=4).flops == 5 * each
  assert work.test_sequence(30, batch=1, length=4).flops < 5 * each / 2
