"""Gradients through a sequence, against what JAX makes of a plain scan."""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp
import pytest

from maes_jax import encoder_solver
from maes_jax import models
from maes_jax import tasks
from maes_jax.cells import base
from maes_jax.cells import dense
from maes_jax.config import Config

RTOL, ATOL = 1e-5, 1e-6  # A gradient is a sum over steps, here in another order.


class State(NamedTuple):
  hidden: chex.Array  # [3]


class Inner(nn.Module):
  """A layer further down, without a bias."""

  @nn.compact
  def __call__(self, z):
    return dense.Dense(3, use_bias=False, name='layer')(z)


class Mixed(base.Cell):
  """A cell with every kind of parameters: layers at two depths, Flax's own and a free one."""

  def initial_state(self, addresses):
    return State(jnp.zeros(3))

  @nn.compact
  def __call__(self, state_tm1, x_t):
    scale = self.param('scale', nn.initializers.ones, (3,))
    z_t = jnp.concatenate([x_t, scale * state_tm1.hidden])
    twice = nn.Dense(3, name='twice')
    hidden_t = jnp.tanh(dense.Dense(3, name='hidden')(z_t) + Inner(name='inner')(z_t))
    return State(hidden_t), base.Step(twice(twice(hidden_t)), read=None, write=None)


def plain_unroll(cell, params, state, inputs, valid, show=base.as_it_is, steps=None):
  """What `Cell.unroll` promises, left to JAX alone."""
  del steps

  def step(state_tm1, scanned):
    x_t, valid_t = scanned
    state_t, shown = cell.apply({'params': params}, state_tm1, x_t)
    state_t = base.where(valid_t, state_t, state_tm1)
    return state_t, show(state_t, shown)

  return lax.scan(step, state, (inputs, valid))


@pytest.mark.parametrize('steps', [None, 5, 6])
def test_gradients_of_every_kind_of_parameter_and_input(steps):
  cell, inputs, valid = Mixed(), jax.random.normal(jax.random.key(0), (7, 4)), jnp.arange(7) < 5
  state = State(jax.random.normal(jax.random.key(1), (3,)))
  params = cell.init(jax.random.key(2), state, inputs[0])['params']

  def loss(unroll, params, hidden, inputs):
    last, shown = unroll(cell, params, State(hidden), inputs, valid, steps=steps)
    return jnp.sum(last.hidden**2) + jnp.sum(shown.output[:5]**3)

  ours, plain = (
      jax.jit(jax.grad(loss, argnums=(1, 2, 3)), static_argnums=0)(
          unroll, params, state.hidden, inputs)
      for unroll in (encoder_solver.unroll, plain_unroll))
  chex.assert_trees_all_close(ours, plain, rtol=RTOL, atol=ATOL)
  assert all(jnp.abs(leaf).max() > 0.01 for leaf in jax.tree.leaves(ours))


@pytest.mark.parametrize('model', ['maes', 'ntm', 'dnc', 'lstm'])
def test_gradients_of_a_batch(model):
  model = models.build(Config(model=model, task=('serial_recall',)))
  params = model.init(jax.random.key(0), tasks.INPUTS)
  keys, lengths = jax.random.split(jax.random.key(1), 3), jnp.array([1, 4, 6])
  batch = tasks.sample_batch(tasks.get('serial_recall'), keys, lengths, max_length=7)

  def loss(unroll, params):
    logits = model.answer_batch(params, {'serial_recall': batch}, 9, unroll)['serial_recall']
    return jnp.sum(logits**2 * batch.mask[..., None])

  ours, plain = (jax.jit(jax.grad(loss, argnums=1), static_argnums=0)(unroll, params)
                 for unroll in (encoder_solver.unroll, plain_unroll))
  chex.assert_trees_all_close(ours, plain, rtol=1e-4, atol=1e-5)
