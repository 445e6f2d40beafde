"""A run through a window on the memory is exact or NaN, never anything between."""

import functools

import jax
import numpy as np
import pytest

from maes_jax import encoder_solver
from maes_jax import windowed
from maes_jax.cells import maes

ADDRESSES = 64
STEPS = 40
CELL = maes.Maes(outputs=3, width=4, units=2)
TAPS = slice(2 * CELL.width, 2 * CELL.width + 3)


def params(tap, decided=200., gamma=50.):
  """A head that makes the same move at every step, as decidedly as asked; the rest is random.

  A softmax of (200, -200, -200) is (1, 0, 0) exactly in float32.
  """
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(
      CELL.init, jax.random.key(0), CELL.initial_state(8), jax.ShapeDtypeStruct((10,), 'float32'))
  drawn = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype('float32'), shapes)['params']
  kernel, bias = drawn['interface']['kernel'], drawn['interface']['bias']
  kernel[:, TAPS], kernel[:, -1] = 0, 0
  bias[TAPS], bias[-1] = np.where(np.arange(3) == tap, decided, -decided), gamma
  return drawn


def start(address):
  """A full memory with the head anywhere: what a solver takes over."""
  state = CELL.initial_state(ADDRESSES)
  content = np.random.default_rng(1).normal(size=state.memory.shape).astype('float32')
  return state._replace(memory=content, attention=np.eye(ADDRESSES, dtype='float32')[address])


@functools.cache
def compiled(unroll):
  return jax.jit(functools.partial(unroll, CELL))


def run(unroll, weights, state, steps=STEPS, valid=STEPS):
  inputs = np.random.default_rng(2).normal(size=(steps, 10)).astype('float32')
  state, shown = compiled(unroll)(weights, state, inputs, np.arange(steps) < valid)
  return jax.device_get((state, shown.output))


@pytest.mark.parametrize('tap', [0, 1, 2])
@pytest.mark.parametrize('address', [0, 3, 30, ADDRESSES - 1])
def test_sharp_attention_is_exact(tap, address):
  """Back, stay and forward, and over the seam of the ring of addresses."""
  found = run(windowed.unroll, params(tap), start(address))
  wanted = run(encoder_solver.unroll, params(tap), start(address))
  for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_padding_is_exact():
  found = run(windowed.unroll, params(2), start(5), valid=9)
  wanted = run(encoder_solver.unroll, params(2), start(5), valid=9)
  np.testing.assert_allclose(found[1][:9], wanted[1][:9], rtol=1e-5, atol=1e-6)
  for one, other in zip(found[0], wanted[0]):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('decided, gamma', [(.1, 0.), (1., 0.), (2., 1.), (5., .5)])
def test_soft_attention_is_exact_or_nan(decided, gamma):
  """Weight that would leave the window shows in every later output and in the memory."""
  state, output = run(windowed.unroll, params(2, decided, gamma), start(5))
  wanted_state, wanted = run(encoder_solver.unroll, params(2, decided, gamma), start(5))
  good = ~np.isnan(output).any(axis=1)
  np.testing.assert_allclose(output[good], wanted[good], rtol=1e-4, atol=1e-5)
  assert (np.diff(good.astype(int)) <= 0).all()  # Once NaN, NaN to the end.
  if np.isnan(state.memory).any():
    assert np.isnan(state.memory).all()
  else:
    np.testing.assert_allclose(state.memory, wanted_state.memory, rtol=1e-4, atol=1e-5)


def test_attention_spread_from_the_start_is_nan():
  spread = start(0)._replace(attention=np.full(ADDRESSES, 1 / ADDRESSES, 'float32'))
  _, output = run(windowed.unroll, params(2), spread)
  assert np.isnan(output).all()


def test_more_than_once_round_is_nan():
  """After all 64 addresses the ring would have to close; the first 40 steps are fine."""
  state, output = run(windowed.unroll, params(2), start(0), steps=80, valid=80)
  assert not np.isnan(output[:40]).any()
  assert np.isnan(output[-1]).all()
  assert np.isnan(state.memory).all()


def test_serves_short_shifts_in_a_memory_larger_than_the_window():
  assert windowed.serves(CELL, 1024)
  assert not windowed.serves(CELL, windowed.SIZE)
  assert not windowed.serves(maes.Maes(shift_range=windowed.MARGIN + 1), 1024)
