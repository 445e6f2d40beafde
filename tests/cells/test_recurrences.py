"""Recurrences without a memory of addresses against their papers' equations in double precision."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import models
from maes_jax.cells import gated_deltanet
from maes_jax.cells import gru
from maes_jax.cells import lru
from maes_jax.cells import mamba2
from maes_jax.cells import mlstm
from maes_jax.config import Config
from tests.cells import random_numbers
from tests.oracles import recurrences as oracle

INPUTS, LAYERS = 10, 2
SMALL = {'outputs': 3, 'units': 5, 'layers': LAYERS}


def parts(blocks, n):
  """What block n carries, as the oracles have it."""
  return jax.tree.map(lambda leaf: np.asarray(leaf, float)[n], blocks)


def scaled(kept):
  """The mLSTM's state without the stabilizer, as the equations have it."""
  block, = kept
  size = np.exp(block.stabilizer)
  return block.cell * size[:, None, None], block.normalizer * size[:, None]


def gated(block):
  """The last inputs of the convolution, and the state."""
  return block.before, block.state.numbers


KINDS = {  # cell, its oracle, sizes of a block, the state as the oracle has it
    'lru': (lru.Lru(**SMALL, states=4), oracle.lru, (4,), lambda kept: kept.numbers),
    'mlstm': (mlstm.Mlstm(**SMALL, heads=2, head_width=3), oracle.mlstm, (2, 3), scaled),
    'gated_deltanet': (gated_deltanet.GatedDeltaNet(**SMALL, heads=2, head_width=3),
                       oracle.gated_deltanet, (2, 3), gated),
    'mamba2': (mamba2.Mamba2(**SMALL, heads=2, head_width=3, states=4), oracle.mamba2,
               (2, 3, 4), gated)}
ANY_KIND = pytest.mark.parametrize('name', KINDS)


def drawn(name, seed):
  module, rng = KINDS[name][0], np.random.default_rng(seed)
  return module, rng, random_numbers.params(rng, module, 1, INPUTS)


def assert_steps(name, params, state, inputs, tolerance):
  """So many steps of the cell are so many of the oracle."""
  module, block, sizes, shown_as = KINDS[name]
  expected = [shown_as(parts(state.blocks, n)) for n in range(LAYERS)]
  apply = jax.jit(module.apply)
  for x_t in inputs:
    state, shown = apply({'params': params}, state, x_t)
    stream, expected, logits = oracle.step(params, expected, x_t, block, sizes)
    found = [shown_as(parts(state.blocks, n)) for n in range(LAYERS)]
    close = lambda one, other: np.testing.assert_allclose(
        one, other, rtol=tolerance, atol=tolerance * np.abs(other).max())
    jax.tree.map(close, (shown.output, state.stream, found), (logits, stream, expected))


@ANY_KIND
def test_steps_are_the_equations(name):
  with jax.enable_x64(True):
    module, rng, params = drawn(name, 1)
    state = random_numbers.tree(rng, module.initial_state(1))
    assert_steps(name, params, state, rng.normal(size=(8, INPUTS)), 1e-9)


@ANY_KIND
def test_single_precision_is_close_from_the_first_state_on(name):
  module, rng, params = drawn(name, 2)
  params = jax.tree.map(lambda leaf: np.float32(leaf / 2), params)
  assert_steps(name, params, module.initial_state(1),
               rng.normal(size=(8, INPUTS)).astype(np.float32), 1e-5)


def test_gated_recurrent_units_are_the_equations():
  rng, module = np.random.default_rng(3), gru.Gru(outputs=3, units=4)
  with jax.enable_x64(True):
    params = random_numbers.params(rng, module, 1, INPUTS)
    state = expected = random_numbers.tree(rng, module.initial_state(1))
    for x_t in rng.normal(size=(8, INPUTS)):
      state, shown = jax.jit(module.apply)({'params': params}, state, x_t)
      expected, logits = oracle.gru(params, expected, x_t)
      np.testing.assert_allclose(shown.output, logits, rtol=1e-9, atol=1e-9)
      np.testing.assert_allclose(state.hidden, expected[0], rtol=1e-9, atol=1e-9)


def test_an_lru_starts_on_its_ring_and_neither_grows_nor_fades():
  """All |lambda| lie between the radii, and exp(gamma)^2 = 1 - |lambda|^2."""
  module = lru.Lru(layers=1, states=100, min_radius=.5, max_radius=.9)
  params = jax.jit(module.init)(
      jax.random.key(0), module.initial_state(1), jnp.zeros(INPUTS))['params']
  radius = np.exp(-np.exp(params['block_0_nu']))
  assert .5 <= radius.min() < .55
  assert .85 < radius.max() <= .9
  np.testing.assert_allclose(np.exp(2 * params['block_0_gamma']), 1 - radius**2, rtol=1e-4)


def test_an_mlstm_survives_gates_that_no_float_can_hold():
  """exp(200) overflows; the stabilizer keeps all finite, and the newest value is found."""
  state = mlstm.Mlstm(heads=1, head_width=2).first().numbers
  unit, value = jnp.array([[1., 0.]]), jnp.array([[3., -2.]])
  for gate in (-300., 0., 200.):
    state, found = mlstm.update(state, unit, unit, value, jnp.array([[gate], [50.]]))
    assert all(jnp.isfinite(leaf).all() for leaf in state)
  np.testing.assert_allclose(found, value, rtol=1e-6)


def test_an_mlstm_starts_out_remembering():
  """Forget gates of sigma(3) and more, all else without a bias."""
  module = mlstm.Mlstm(layers=1, heads=3, head_width=2)
  params = jax.jit(module.init)(
      jax.random.key(0), module.initial_state(1), jnp.zeros(INPUTS))['params']
  bias = params['block_0_interface']['bias']
  np.testing.assert_allclose(bias[-3:], [3, 4.5, 6])
  assert not bias[:-3].any()


@pytest.mark.parametrize('rate, left', [(0., 5.), (1., 0.), (2., -5.)])
def test_a_delta_rule_keeps_replaces_or_flips(rate, left):
  """Written with 0 under its key, 5 becomes (1 - beta) 5: eigenvalues 1, 0 and -1."""
  state, key = jnp.array([[[5., 7.]]]), jnp.array([[1., 0.]])
  after = gated_deltanet.update(state, key, jnp.zeros((1, 1)), jnp.ones(1), jnp.array([rate]))
  np.testing.assert_allclose(after, [[[left, 7.]]])


@pytest.mark.parametrize('name', ['gru', *KINDS, 'stack_rnn', 'tape_rnn', 'transformer'])
def test_about_as_many_parameters_as_the_ntm(name):
  """All of them without a phase bit."""
  ours, ntm = (models.count_parameters(Config(model=model, phase_bit=False))
               for model in (name, 'ntm'))
  assert abs(ours / ntm - 1) < .06


@pytest.mark.parametrize('dtype, gate', [(np.float32, -100.), (np.float16, -12.)])
def test_an_mlstm_has_a_gradient_where_its_gates_are_all_but_shut(dtype, gate):
  first = mlstm.Mlstm(heads=1, head_width=2).first().numbers
  state = jax.tree.map(lambda leaf: leaf.astype(dtype), first)
  state = state._replace(stabilizer=state.stabilizer + dtype(gate))
  unit = jnp.ones((1, 2), dtype)

  def found(gates):
    return mlstm.update(state, unit, unit, unit, gates)[1].astype(np.float32).sum()
  gradient = jax.grad(found)(jnp.full((2, 1), gate, dtype))
  assert jnp.isfinite(gradient).all()


# First parameters of a recurrence that keeps nearly all of its past.
SLOW = {'block_0_nu': -9., 'block_0_step_bias': -6.9, 'block_0_rate': 0.}


@ANY_KIND
def test_half_precision_keeps_and_forgets_as_single_precision_does(name):
  """Through factors of 0.999 and more, which bfloat16 has no number for but 1."""
  module = dataclasses.replace(KINDS[name][0], layers=1)
  inputs = np.random.default_rng(0).normal(size=(1000, INPUTS)).astype(np.float32)
  params = jax.jit(module.init)(jax.random.key(0), module.initial_state(1), inputs[0])['params']
  slow = {part: jax.tree.map(lambda leaf: jnp.full_like(leaf, SLOW[part]), leaves)  # noqa: B023
          if part in SLOW else leaves for part, leaves in params.items()}
  half = jax.tree.map(jnp.bfloat16, slow)
  run = jax.jit(lambda params: module.unroll(params, module.initial_state(1), inputs)[0].blocks)
  found, wanted = run(half), run(jax.tree.map(jnp.float32, half))
  for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
    np.testing.assert_allclose(one.astype(np.float32), other, atol=.02 * np.abs(other).max())


def test_an_lru_whose_radii_are_the_wrong_way_round_is_refused():
  with pytest.raises(errors.UserError, match=r'min_radius is 0.99 and max_radius 0.5'):
    lru.Lru(min_radius=.99, max_radius=.5)
