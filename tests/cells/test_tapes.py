"""Stack-RNN and Tape-RNN against loops in double precision, and their memory by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax.cells import tapes
from tests.cells import random_numbers
from tests.cells.single_precision import assert_stays_close
from tests.oracles import tapes as oracle

INPUTS, ADDRESSES = 10, 5
BOTH = pytest.mark.parametrize('kind, act', [
    (tapes.StackRnn, oracle.on_stack), (tapes.TapeRnn, oracle.on_tape)])


@BOTH
def test_steps_are_the_equations(kind, act):
  rng, module = np.random.default_rng(1), kind(outputs=3, width=4, units=6)
  with jax.enable_x64(True):
    params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
    params = jax.tree.map(lambda leaf: leaf / 3, params)  # ReLU units grow.
    state = expected = random_numbers.tree(rng, module.initial_state(ADDRESSES))
    apply = jax.jit(module.apply)
    for x_t in rng.normal(size=(8, INPUTS)):
      state, shown = apply({'params': params}, state, x_t)
      expected, logits, actions = oracle.step(params, expected, x_t, act)
      np.testing.assert_allclose(shown.output, logits, rtol=1e-9, atol=1e-9)
      written = actions[0] if kind is tapes.StackRnn else 1
      np.testing.assert_array_equal(shown.read, np.eye(1, ADDRESSES))
      np.testing.assert_allclose(shown.write, written * np.eye(1, ADDRESSES), atol=1e-12)
      for found, wanted in zip(state, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@BOTH
def test_single_precision_is_close_from_the_first_state_on(kind, act):
  rng, module = np.random.default_rng(2), kind(outputs=3, width=4, units=6)
  params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
  params = jax.tree.map(lambda leaf: leaf / 3, params)
  state = module.initial_state(ADDRESSES)
  assert not any(leaf.any() for leaf in state)
  assert_stays_close(module, params, state, functools.partial(oracle.step, act=act),
                     rng.normal(size=(12, INPUTS)))


@pytest.mark.parametrize('kind, wanted', [
    (tapes.StackRnn, [[9, 1, 2], [2, 3, 0], [1, 2, 3]]),
    (tapes.TapeRnn, [[9, 2, 3], [2, 3, 9], [3, 9, 2]])])
def test_actions_by_hand(kind, wanted):
  """On the words 1, 2, 3 with a 9 to write: push, pop, nothing; stay, left, right."""
  found = kind(width=1).after(jnp.array([[1., 2., 3.]]), jnp.array([9.]))
  np.testing.assert_array_equal(np.concatenate(found), wanted)
