"""The stacked LSTM against its equations in double precision, and numbers worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax.cells import lstm
from tests.cells import random_numbers
from tests.oracles import lstm as oracle

INPUTS, ADDRESSES = 10, 7


@pytest.mark.parametrize('layers', [1, 3])
def test_steps_are_the_equations(layers):
  rng, module = np.random.default_rng(layers), lstm.Lstm(outputs=3, layers=layers, units=4)
  with jax.enable_x64(True):
    params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
    state = expected = random_numbers.tree(rng, module.initial_state(ADDRESSES))
    apply = jax.jit(module.apply)
    for x_t in rng.normal(size=(8, INPUTS)):
      state, shown = apply({'params': params}, state, x_t)
      expected, logits = oracle.step(params, expected, x_t)
      np.testing.assert_allclose(shown.output, logits, atol=1e-12)
      for found, wanted in zip(state, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_update_by_hand():
  """Gates of 0 let half through: c = (0 + 2 * 1) / 2 with g = tanh(0) = 0, h = tanh(1) / 2."""
  hidden, cell = lstm.update(jnp.zeros(4), jnp.array([2.]))
  np.testing.assert_allclose([hidden[0], cell[0]], [np.tanh(1) / 2, 1], rtol=1e-6)


def test_open_gates_keep_and_closed_gates_forget():
  """Forget gate open and input gate closed keeps the cell; both closed empties it."""
  kept = lstm.update(jnp.array([-99., 99., 0., 5.]), jnp.array([.7]))[1]
  emptied = lstm.update(jnp.array([-99., -99., 0., 5.]), jnp.array([.7]))[1]
  np.testing.assert_allclose([kept[0], emptied[0]], [.7, 0], atol=1e-6)


def test_the_papers_size_and_no_memory():
  """Section 5.4: three layers of 512 units."""
  module = lstm.Lstm(outputs=8)
  shapes = jax.eval_shape(lambda: module.init(
      jax.random.key(0), module.initial_state(30), jnp.zeros(INPUTS)))['params']
  assert {name: layer['kernel'].shape for name, layer in shapes.items()} == {
      'layer_0': (INPUTS + 512, 2048), 'layer_1': (1024, 2048), 'layer_2': (1024, 2048),
      'output': (512, 8)}
  _, shown = jax.eval_shape(
      module.apply, {'params': shapes}, module.initial_state(30), jnp.zeros(INPUTS))
  assert shown.read is None
  assert shown.write is None


@pytest.mark.parametrize('sizes', [{'layers': 0}, {'units': 0}])
def test_no_layer_or_no_unit_is_an_error(sizes):
  with pytest.raises(ValueError, match='use at least 1 of each'):
    lstm.Lstm(**sizes).initial_state(ADDRESSES)
