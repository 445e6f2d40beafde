"""Both ways to run over a sequence, against a plain loop: values, derivatives, and refusals."""

import functools
from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax.cells import base
from maes_jax.cells import gru

RTOL, ATOL = 1e-5, 1e-6  # A gradient is a sum over steps, here in another order.
STEPS, VALID = 7, 5


class State(NamedTuple):
  hidden: chex.Array  # [3]


class Inner(nn.Module):
  """A layer further down, without a bias."""

  @nn.compact
  def __call__(self, z):
    return nn.Dense(3, use_bias=False, name='layer')(z)


class Mixed(base.Cell):
  """A cell with every kind of parameters: layers at two depths, one called twice, a free one."""

  def initial_state(self, addresses):
    return State(jnp.zeros(3))

  @nn.compact
  def __call__(self, state_tm1, x_t):
    scale = self.param('scale', nn.initializers.ones, (3,))
    z_t = jnp.concatenate([x_t, scale * state_tm1.hidden])
    twice = nn.Dense(3, name='twice')
    hidden_t = jnp.tanh(nn.Dense(3, name='hidden')(z_t) + Inner(name='inner')(z_t))
    return State(hidden_t), base.Step(twice(twice(hidden_t)), read=None, write=None)


CELL = Mixed()
INPUTS = jax.random.normal(jax.random.key(0), (STEPS, 4))
START = jax.random.normal(jax.random.key(1), (3,))
PARAMS = CELL.init(jax.random.key(2), State(START), INPUTS[0])['params']


def unrolled(skip_padding):
  return functools.partial(CELL.unroll, skip_padding=skip_padding)


def beside_a_longer_one(params, state, inputs, steps):
  """In a batch, in which the loop goes on after the last step of this sequence."""
  unroll = lambda steps: unrolled(skip_padding=True)(params, state, inputs, steps)
  return jax.tree.map(lambda leaf: leaf[0], jax.vmap(unroll)(jnp.array([steps, steps + 1])))


def looped(params, state, inputs, steps):
  """What `Cell.unroll` promises, step by step."""
  shown = []
  for t, x_t in enumerate(inputs):
    state_t, step = CELL.apply({'params': params}, state, x_t)
    state = base.where(t < steps, state_t, state)
    shown.append(step)
  return state, jax.tree.map(lambda *leaves: jnp.stack(leaves), *shown)


def loss(unroll, params, hidden, inputs):
  last, shown = unroll(params, State(hidden), inputs, VALID)
  return jnp.sum(last.hidden**2) + jnp.sum(shown.output[:VALID]**3)


@pytest.mark.parametrize('ours', [unrolled(False), unrolled(True), beside_a_longer_one],
                         ids=['all', 'skipping', 'in a batch'])
def test_gradients_of_every_kind_of_parameter_and_input(ours):
  ours, plain = (
      jax.jit(jax.value_and_grad(loss, argnums=(1, 2, 3)), static_argnums=0)(
          unroll, PARAMS, START, INPUTS)
      for unroll in (ours, looped))
  chex.assert_trees_all_close(ours, plain, rtol=RTOL, atol=ATOL)
  assert all(jnp.abs(leaf).max() > 0.01 for leaf in jax.tree.leaves(ours))


def test_gradients_operation_by_operation():
  """As who looks for undefined numbers goes through a step."""
  gradient = jax.grad(loss, argnums=(1, 2, 3))
  wanted = jax.jit(gradient, static_argnums=0)(unrolled(True), PARAMS, START, INPUTS)
  with jax.disable_jit():
    found = gradient(unrolled(True), PARAMS, START, INPUTS)
  chex.assert_trees_all_close(found, wanted, rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize('steps', [jnp.array([1, 3]), 2.9, jnp.float32(2)], ids=repr)
def test_steps_that_are_no_number_of_one_sequence(steps):
  with pytest.raises(AssertionError, match=r'steps must be \[\] of int'):
    unrolled(False)(PARAMS, State(START), INPUTS, steps)


@pytest.mark.parametrize('skip_padding', [False, True])
def test_gradients_over_many_steps_are_added_up_in_single_precision(skip_padding):
  """A sum in bfloat16 stands still once a step adds less than 1/256 of it."""
  inputs = jax.random.normal(jax.random.key(3), (1000, 4))
  half = jax.tree.map(jnp.bfloat16, PARAMS)

  def value(params):
    _, shown = unrolled(skip_padding)(params, State(START), inputs)
    return jnp.mean((shown.output.astype(jnp.float32) - 1)**2)
  gradient = jax.jit(jax.grad(value))
  found, wanted = gradient(half), gradient(jax.tree.map(jnp.float32, half))
  for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
    assert one.dtype == jnp.bfloat16
    assert jnp.linalg.norm(one.astype(jnp.float32) - other) < .05 * jnp.linalg.norm(other)


def test_steps_left_out_show_zeros_and_take_no_time():
  """As many steps are computed as there are, which only data tells."""
  count = jax.jit(lambda n: unrolled(skip_padding=True)(PARAMS, State(START), INPUTS, n))
  for n in (0, 3, STEPS):
    last, shown = count(n)
    wanted, steps = looped(PARAMS, State(START), INPUTS[:n], n) if n else (
        State(START), base.Step(jnp.zeros((0, 3)), None, None))
    chex.assert_trees_all_close(last, wanted, rtol=RTOL, atol=ATOL)
    chex.assert_trees_all_close(shown.output[:n], steps.output, rtol=RTOL, atol=ATOL)
    assert not shown.output[n:].any()
  assert count._cache_size() == 1


class TestOnce:
  """With `skip_padding` the derivative is ours, for reverse mode; another one is never a number."""

  def test_a_second_derivative_says_what_to_do(self):
    first = jax.grad(lambda hidden: loss(unrolled(True), PARAMS, hidden, INPUTS))
    with pytest.raises(errors.UserError, match=r'`skip_padding` .* leave it out'):
      jax.jit(jax.jacrev(first))(START)
    with pytest.raises(errors.UserError, match=r'`skip_padding` .* leave it out'):
      jax.jvp(first, (START,), (START,))

  def test_forward_mode_is_refused(self):
    with pytest.raises(TypeError, match='forward-mode'):
      jax.jvp(lambda hidden: loss(unrolled(True), PARAMS, hidden, INPUTS), (START,), (START,))

  def test_without_it_both_are_there(self):
    value = lambda hidden: loss(unrolled(False), PARAMS, hidden, INPUTS)
    wanted = jax.hessian(lambda hidden: loss(looped, PARAMS, hidden, INPUTS))(START)
    for hessian in (jax.jacrev(jax.jacrev(value)), jax.jacfwd(jax.jacrev(value))):
      chex.assert_trees_all_close(jax.jit(hessian)(START), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('options', [{}, {'skip_padding': True}])
def test_no_steps_at_all_leave_the_state_as_it_was(options):
  cell = gru.Gru(outputs=2, units=3)
  state, inputs = cell.initial_state(4), jnp.zeros((0, 3))
  params = cell.init(jax.random.key(0), state, jnp.zeros(3))['params']
  last, steps = cell.unroll(params, state, inputs, **options)
  jax.tree.map(np.testing.assert_array_equal, last, state)
  assert steps.output.shape == (0, 2)
