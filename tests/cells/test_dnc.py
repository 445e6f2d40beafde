"""The DNC against its equations in double precision, invariants, and impossible sizes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax.cells import dnc
from tests.cells import random_numbers
from tests.oracles import dnc as oracle

INPUTS, ADDRESSES = 10, 7


def cell(**options):
  return dnc.Dnc(**{'outputs': 3, 'width': 4, 'units': 5, **options})


def random_state(rng, module):
  """Random, within the bounds that `dnc.State` promises."""
  state = random_numbers.tree(rng, module.initial_state(ADDRESSES))
  links = rng.uniform(size=(ADDRESSES, ADDRESSES)) / ADDRESSES
  return state._replace(
      usage=rng.uniform(size=ADDRESSES),
      precedence=random_numbers.attention(rng, 1, ADDRESSES, most=.9)[0],
      links=links * (1 - np.eye(ADDRESSES)),
      write=random_numbers.attention(rng, 1, ADDRESSES, most=.9)[0],
      attention=random_numbers.attention(rng, len(state.attention), ADDRESSES, most=.9))


@pytest.mark.parametrize('reads', [1, 2, 4])
def test_steps_are_the_equations(reads):
  rng, module = np.random.default_rng(reads), cell(read_heads=reads)
  with jax.enable_x64(True):
    params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
    state = expected = random_state(rng, module)
    apply = jax.jit(module.apply)
    for x_t in rng.normal(size=(8, INPUTS)):
      state, shown = apply({'params': params}, state, x_t)
      expected, logits = oracle.step(params, expected, x_t)
      np.testing.assert_allclose(shown.output, logits, rtol=1e-9, atol=1e-9)
      np.testing.assert_allclose(shown.write, expected[6][None], atol=1e-9)
      np.testing.assert_allclose(shown.read, expected[7], atol=1e-9)
      for found, wanted in zip(state, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_single_precision_is_close():
  rng, module = np.random.default_rng(4), cell(read_heads=2)
  params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
  state = expected = jax.tree.map(np.float32, random_state(rng, module))
  apply = jax.jit(module.apply)
  for x_t in rng.normal(size=(12, INPUTS)):
    state, _ = apply({'params': params}, state, x_t)
    expected, _ = oracle.step(params, expected, x_t)
    for found, wanted in zip(state, expected, strict=True):
      np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


class TestAllocation:

  @pytest.mark.parametrize('usage', [
      [.3, .1, .2], [0., 0., 0.], [1., 1., 1.], [.5, .5, 0., .5], [0., .4, 0., .4, 1.], [.7]])
  def test_every_order_and_tie_is_as_sorted(self, usage):
    for order in itertools.islice(itertools.permutations(usage), 30):
      found = dnc.allocation(jnp.array(order))
      np.testing.assert_allclose(found, oracle.allocation(order), rtol=1e-5, atol=1e-7)

  def test_by_hand(self):
    """Least used first: 1 - .1, then .1 (1 - .2), then .1 .2 (1 - .3)."""
    found = dnc.allocation(jnp.array([.3, .1, .2]))
    np.testing.assert_allclose(found, [.014, .9, .08], rtol=1e-5)

  @pytest.mark.parametrize('freed', range(5))
  def test_all_weight_is_on_a_freed_address(self, freed):
    usage = dnc.next_usage(
        usage_tm1=jnp.ones(5), write_tm1=jnp.full(5, .2),
        attention_tm1=jnp.eye(5)[freed][None], free_gates=jnp.ones(1))
    np.testing.assert_array_equal(dnc.allocation(usage), np.eye(5)[freed])

  def test_a_full_memory_allocates_nothing(self):
    np.testing.assert_array_equal(dnc.allocation(jnp.ones(6)), np.zeros(6))

  @pytest.mark.parametrize('size', [30, 1024])
  def test_sums_to_at_most_1_and_has_finite_gradients(self, size):
    rng = np.random.default_rng(size)
    weigh = jax.jit(lambda usage: jax.vjp(dnc.allocation, usage)[1](jnp.arange(1., size + 1))[0])
    for drawn in (rng.uniform(size=size), np.zeros(size), np.ones(size), np.full(size, 1e-35),
                  np.full(size, 1e-8), rng.integers(0, 2, size=size)):
      usage = jnp.float32(drawn)
      assert 0 <= dnc.allocation(usage).sum() <= 1 + 1e-5
      assert np.isfinite(weigh(usage)).all()

  def test_gradient_is_that_of_the_products(self):
    """Central differences of the oracle, at usages well apart."""
    usage, step = np.array([.3, .9, .1, .6]), 1e-6
    with jax.enable_x64(True):
      found = jax.jacobian(dnc.allocation)(usage)
    for n, nudge in enumerate(step * np.eye(4)):
      slope = (oracle.allocation(usage + nudge) - oracle.allocation(usage - nudge)) / (2 * step)
      np.testing.assert_allclose(found[:, n], slope, atol=1e-8)


class TestLinks:

  def test_lead_from_each_address_to_the_one_written_next(self):
    """Addresses 2, 0, 1 in turn: L[0, 2] = L[1, 0] = 1 and nothing else."""
    links, precedence = jnp.zeros((3, 3)), jnp.zeros(3)
    for write in jnp.eye(3)[jnp.array([2, 0, 1])]:
      links = dnc.next_links(links, precedence, write)
      precedence = (1 - write.sum()) * precedence + write
    np.testing.assert_array_equal(links, [[0, 0, 1], [1, 0, 0], [0, 0, 0]])

  @pytest.mark.parametrize('modes, found_at', [([1., 0., 0.], 2), ([0., 0., 1.], 1)])
  def test_read_modes_follow_them_back_and_forward(self, modes, found_at):
    """Written in the order 2, 0, 1 and now at 0: backward is 2, forward is 1."""
    links = jnp.array([[0., 0., 1.], [1., 0., 0.], [0., 0., 0.]])
    attention = dnc.read_attention(
        jnp.ones((2, 3)), links, jnp.eye(3)[0], jnp.ones(2), jnp.float32(1), jnp.array(modes))
    np.testing.assert_array_equal(attention, np.eye(3)[found_at])


def test_state_stays_within_its_bounds():
  """Sub-stochastic links with a zero diagonal, usage in [0, 1], attention of at most 1."""
  rng, module = np.random.default_rng(5), cell(read_heads=3)
  params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
  state, apply = module.initial_state(ADDRESSES), jax.jit(module.apply)
  for x_t in 5 * rng.normal(size=(30, INPUTS)):
    state, shown = apply({'params': params}, state, x_t)
    assert not np.diagonal(state.links).any()
    for part in (state.links, state.links.T, shown.read, shown.write, state.precedence[None]):
      assert (part >= 0).all()
      assert (part.sum(axis=1) <= 1 + 1e-5).all()
    assert ((state.usage >= 0) & (state.usage <= 1 + 1e-6)).all()


def test_interface_parameters_are_in_their_ranges():
  raw = 9 * np.random.default_rng(6).normal(size=4 * 3 + 3 * 4 + 5 * 3 + 3)
  params = dnc.interface(jnp.float32(raw), width=4, reads=3)
  np.testing.assert_allclose(params.read_modes.sum(axis=1), 1, rtol=1e-6)
  assert params.read_modes.shape == (3, 3)
  assert (params.read_strengths >= 1).all()
  assert params.write_strength >= 1
  for gate in (params.erase, params.free_gates, params.allocation_gate, params.write_gate):
    assert ((gate >= 0) & (gate <= 1)).all()
  np.testing.assert_array_equal(params.read_keys.ravel(), np.float32(raw[:12]))


def test_gradients_are_finite_from_the_empty_memory():
  """Zero memory, zero links, zero usage with every address tied; zero keys too."""
  rng, module = np.random.default_rng(7), cell(read_heads=2)
  params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
  zeros = jax.tree.map(np.zeros_like, params)

  def loss(params):
    state = module.initial_state(ADDRESSES)
    for x_t in jnp.eye(3, INPUTS):
      state, shown = module.apply({'params': params}, state, x_t)
    return jnp.sum(shown.output**2) + sum(jnp.sum(part) for part in state)

  gradient = jax.jit(jax.grad(loss))
  for leaf in jax.tree.leaves([gradient(params), gradient(zeros)]):
    assert np.isfinite(leaf).all()


@pytest.mark.parametrize('options, message', [
    ({'width': 0}, 'width is 0; it must be at least 1'),
    ({'read_heads': 8}, 'read_heads is 8 .* 7 addresses; use 1 to 7'),
    ({'read_heads': 0}, 'read_heads is 0; it must be at least 1'),
])
def test_impossible_sizes_are_an_error_of_one_line(options, message):
  with pytest.raises(ValueError, match=message) as caught:
    cell(**options).initial_state(ADDRESSES)
  assert '\n' not in str(caught.value)


def test_the_papers_sizes():
  """Section 5.4: an LSTM of 20 units in one layer; words of 10. xi_t has W R + 3 W + 5 R + 3."""
  module = dnc.Dnc(outputs=8)
  shapes = jax.eval_shape(lambda: module.init(
      jax.random.key(0), module.initial_state(30), jnp.zeros(INPUTS)))['params']
  assert {name: layer['kernel'].shape for name, layer in shapes.items()} == {
      'controller': (INPUTS + 20 + 10, 80), 'interface': (20, 10 + 3 * 10 + 5 + 3),
      'output': (20 + 10, 8)}
