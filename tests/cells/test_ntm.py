"""The NTM against its equations in double precision, invariants, and impossible sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax.cells import heads
from maes_jax.cells import ntm
from tests.cells import random_numbers
from tests.oracles import ntm as oracle

INPUTS, ADDRESSES = 10, 7
HEADS = [(1, 1), (2, 1), (1, 3), (3, 2)]  # read, write


def cell(**options):
  return ntm.Ntm(**{'outputs': 3, 'width': 4, 'units': 5, **options})


def random_state(rng, module):
  state = random_numbers.tree(rng, module.initial_state(ADDRESSES))
  return state._replace(
      attention=random_numbers.attention(rng, len(state.attention), ADDRESSES))


@pytest.mark.parametrize('shift_range', [1, 2])
@pytest.mark.parametrize('reads, writes', HEADS)
def test_steps_are_the_equations(reads, writes, shift_range):
  rng = np.random.default_rng(shift_range)
  module = cell(read_heads=reads, write_heads=writes, shift_range=shift_range)
  with jax.enable_x64(True):
    params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
    state = expected = random_state(rng, module)
    apply = jax.jit(module.apply)
    for x_t in rng.normal(size=(8, INPUTS)):
      state, shown = apply({'params': params}, state, x_t)
      expected, logits = oracle.step(
          params, expected, x_t, read_heads=reads, taps=2 * shift_range + 1)
      np.testing.assert_allclose(shown.output, logits, rtol=1e-9, atol=1e-9)
      np.testing.assert_allclose(shown.read, expected[2][:reads], atol=1e-9)
      np.testing.assert_allclose(shown.write, expected[2][reads:], atol=1e-9)
      for found, wanted in zip(state, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_single_precision_is_close_from_the_first_state_on():
  rng, module = np.random.default_rng(4), cell(initial_memory=.1)
  params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
  state, apply = module.initial_state(ADDRESSES), jax.jit(module.apply)
  expected = state
  for x_t in rng.normal(size=(12, INPUTS)):
    state, _ = apply({'params': params}, state, x_t)
    expected, _ = oracle.step(params, expected, x_t, read_heads=1, taps=3)
    for found, wanted in zip(state, expected, strict=True):
      np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


def test_attention_of_every_head_sums_to_1():
  rng, module = np.random.default_rng(5), cell(read_heads=2, write_heads=3)
  params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
  state, apply = module.initial_state(ADDRESSES), jax.jit(module.apply)
  for x_t in 5 * rng.normal(size=(20, INPUTS)):
    state, shown = apply({'params': params}, state, x_t)
    for attention in (shown.read, shown.write):
      assert (attention >= 0).all()
      np.testing.assert_allclose(attention.sum(axis=1), 1, rtol=1e-5)


def test_gates_closed_and_one_shift_walk_through_the_memory():
  """Content gate shut, kernel all forward, sharp: each step moves attention by one address."""
  params = heads.Content(key=jnp.ones(4), strength=jnp.float32(1), gate=jnp.float32(0),
                         kernel=jnp.array([0., 0., 1.]), gamma=jnp.float32(5))
  attention = jnp.eye(ADDRESSES)[ADDRESSES - 1]
  moved = heads.address(params, jnp.zeros((4, ADDRESSES)), attention)
  np.testing.assert_allclose(moved, np.eye(ADDRESSES)[0], atol=1e-6)


def test_all_heads_erase_before_any_adds():
  """Two heads on one address: (8 / 2) / 2 + 1 + 3; the second eraser leaves the first's add."""
  written = ntm.write(jnp.array([[8.]]), attention=jnp.ones((2, 1)),
                      erase=jnp.full((2, 1), .5), add=jnp.array([[1.], [3.]]))
  np.testing.assert_allclose(written, [[6.]])


@pytest.mark.parametrize('value', [0., 1e-6, 1.])
@pytest.mark.parametrize('attention', ntm.INITIAL_ATTENTION)
def test_gradients_are_finite_from_every_first_state(value, attention):
  module = cell(initial_memory=value, initial_attention=attention)
  rng = np.random.default_rng(6)
  params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
  zeros = jax.tree.map(np.zeros_like, params)

  def loss(params):
    state = module.initial_state(ADDRESSES)
    for x_t in jnp.eye(3, INPUTS):
      state, shown = module.apply({'params': params}, state, x_t)
    return jnp.sum(shown.output**2) + jnp.sum(state.attention[:, 0])

  gradient = jax.jit(jax.grad(loss))
  for leaf in jax.tree.leaves([gradient(params), gradient(zeros)]):
    assert np.isfinite(leaf).all()


def test_first_state_is_as_documented():
  state = cell(read_heads=2, initial_memory=.5).initial_state(ADDRESSES)
  np.testing.assert_array_equal(state.attention, np.eye(ADDRESSES)[[0, 0, 0]])
  np.testing.assert_array_equal(state.memory, np.full((4, ADDRESSES), .5))
  np.testing.assert_allclose(state.read, state.attention[:2] @ state.memory.T)
  uniform = cell(initial_attention='uniform').initial_state(4).attention
  np.testing.assert_array_equal(uniform, np.full((2, 4), .25))


@pytest.mark.parametrize('options, message', [
    ({'width': 0}, 'width is 0; it must be at least 1'),
    ({'read_heads': 8}, 'read_heads is 8 .* 7 addresses; use 1 to 7'),
    ({'write_heads': 8}, 'write_heads is 8 .* 7 addresses; use 1 to 7'),
    ({'shift_range': 4}, '9 taps .* 7 addresses; use at least 9'),
    ({'initial_attention': 'uniforn'}, "one of address_0, uniform; did you mean 'uniform'"),
])
def test_impossible_options_are_an_error_of_one_line(options, message):
  with pytest.raises(ValueError, match=message) as caught:
    random_numbers.params(np.random.default_rng(0), cell(**options), ADDRESSES, INPUTS)
  assert '\n' not in str(caught.value)


def test_the_papers_sizes():
  """Section 5.4: 20 sigmoid units; words of 10; z_t = [x_t, h_{t-1}, r_{t-1}]."""
  module = ntm.Ntm(outputs=8)
  shapes = jax.eval_shape(lambda: module.init(
      jax.random.key(0), module.initial_state(30), jnp.zeros(INPUTS)))['params']
  assert {name: layer['kernel'].shape for name, layer in shapes.items()} == {
      'hidden': (INPUTS + 20 + 10, 20), 'interface': (20, 2 * (10 + 3 + 3) + 2 * 10),
      'output': (20 + 10, 8)}


@pytest.mark.parametrize('reads, writes', HEADS)
def test_a_ring_is_a_memory_of_as_many_addresses(reads, writes):
  """The first 7 of 12 addresses against the equations in 7; the others are as they were."""
  rng = np.random.default_rng(8)
  module = cell(read_heads=reads, write_heads=writes, shift_range=2)
  with jax.enable_x64(True):
    params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
    expected = random_state(rng, module)
    beyond = ((0, 0), (0, 5))
    state = module.in_ring(expected._replace(
        memory=np.pad(expected.memory, beyond, constant_values=9.),
        attention=np.pad(expected.attention, beyond)), ADDRESSES)
    apply = jax.jit(module.apply)
    for x_t in rng.normal(size=(8, INPUTS)):
      state, shown = apply({'params': params}, state, x_t)
      expected, logits = oracle.step(params, expected, x_t, read_heads=reads, taps=5)
      np.testing.assert_allclose(shown.output, logits, rtol=1e-9, atol=1e-9)
      np.testing.assert_allclose(state.memory[:, :ADDRESSES], expected[1], rtol=1e-9, atol=1e-9)
      np.testing.assert_allclose(state.attention[:, :ADDRESSES], expected[2], atol=1e-9)
      np.testing.assert_array_equal(state.attention[:, ADDRESSES:], 0)
      np.testing.assert_array_equal(state.memory[:, ADDRESSES:], 9)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize('ring', [257, 301])
def test_a_ring_is_of_as_many_addresses_in_every_dtype(dtype, ring):
  """Not of 256, or of 302, which bfloat16 has next: attention is uniform and stays inside."""
  module = cell(initial_attention='uniform')
  state = module.in_ring(module.initial_state(320), jnp.int32(ring))
  params = random_numbers.params(np.random.default_rng(0), module, 320, INPUTS)
  params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params)
  last, shown = module.unroll(params, state, jnp.zeros((1, INPUTS)))
  assert shown.write.dtype == dtype
  assert int(last.ring.numbers) == ring
  assert np.flatnonzero(shown.write[0, 0]).tolist() == list(range(ring))


@pytest.mark.parametrize('walk, tap', [(1., 6), (-1., 4)])  # The last of 3: one address on.
@pytest.mark.parametrize('reads, writes', HEADS)
def test_first_biases_are_where_they_belong(reads, writes, walk, tap):
  """With nothing in the hidden units and no weights, the interface is its bias."""
  module = cell(read_heads=reads, write_heads=writes, gate_bias=-5., gamma_bias=-3.,
                write_bias=-2., walk_bias=walk)
  state = module.initial_state(ADDRESSES)
  params = module.init(jax.random.key(0), state, jnp.zeros(INPUTS))['params']
  bias = np.zeros((reads + writes) * 10 + 2 * writes * 4)  # A head: key 4, 3 taps, 1 + 1 + 1.
  for head in range(reads + writes):
    bias[10 * head + tap] = head >= reads
    bias[10 * head + 8], bias[10 * head + 9] = -5, -3
  bias[10 * (reads + writes):][:4 * writes] = -2
  np.testing.assert_array_equal(params['interface']['bias'], bias)
  plain = cell(read_heads=reads, write_heads=writes)
  params = plain.init(jax.random.key(0), state, jnp.zeros(INPUTS))['params']
  np.testing.assert_array_equal(params['interface']['bias'], 0)
