"""Content addressing against loops, hand-worked numbers, and where cosines have no value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import addressing
from tests.oracles import ntm as oracle


@pytest.fixture
def rng():
  return np.random.default_rng(0)


@pytest.mark.parametrize('strength', [0., 1., 30.])
def test_content_weights_are_equation_5(rng, strength):
  memory, key = rng.normal(size=(4, 7)), rng.normal(size=4)
  with jax.enable_x64(True):
    found = jax.jit(addressing.content_weights)(memory, key, strength)
  np.testing.assert_allclose(found, oracle.content_weights(memory, key, strength), atol=1e-12)


def test_similarity_by_hand():
  """The key (3, 4) with itself, longer, turned round, across, and in between: 3 * 1 / 5."""
  memory = jnp.array([[3., 30., -3., 4., 1.], [4., 40., -4., -3., 0.]])
  found = addressing.cosine_similarity(memory, jnp.array([3., 4.]))
  np.testing.assert_allclose(found, [1, 1, -1, 0, .6], atol=1e-6)


def test_more_strength_looks_at_the_likest_word_alone():
  weights = addressing.content_weights(jnp.eye(3), jnp.array([0., 1., 0.]), 200.)
  np.testing.assert_allclose(weights, [0, 1, 0], atol=1e-6)


@pytest.mark.parametrize('memory, key', [
    (np.zeros((4, 5)), np.ones(4)),
    (np.ones((4, 5)), np.zeros(4)),
    (np.zeros((4, 5)), np.zeros(4)),
    (np.full((4, 5), 1e-30), np.full(4, 1e-30)),
    (np.full((4, 5), 1e15), np.full(4, 1e15)),
    (np.eye(4, 5), np.eye(4)[0]),
], ids=['empty memory', 'empty key', 'both', 'tiny', 'large', 'some words empty'])
def test_finite_in_value_and_gradient(memory, key):
  def first_weight(memory, key, strength):
    return addressing.content_weights(memory, key, strength)[0]

  arguments = jnp.float32(memory), jnp.float32(key), jnp.float32(100)
  value, gradient = jax.value_and_grad(first_weight, argnums=(0, 1, 2))(*arguments)
  assert np.isfinite(value)
  for leaf in gradient:
    assert np.isfinite(leaf).all()
    assert np.abs(leaf).max() <= 100 / addressing.SHORTEST


@pytest.mark.parametrize('large', [3e19, np.inf, np.nan])
def test_a_word_too_long_to_be_measured_is_no_number_and_others_are(large):
  """It would be like nothing, as an empty one is; a model that has diverged must not hide it."""
  memory = jnp.array([[large, 1., 0.], [1., 0., 0.]], jnp.float32)
  found = jax.jit(addressing.cosine_similarity)(memory, jnp.array([1., 0.]))
  np.testing.assert_array_equal(found, [np.nan, 1, 0])
  by_key = addressing.cosine_similarity(memory[:, 1:], memory[:, 0])
  np.testing.assert_array_equal(by_key, [np.nan, np.nan])


def test_an_empty_memory_gives_flat_weights():
  weights = addressing.content_weights(jnp.zeros((3, 5)), jnp.ones(3), jnp.float32(9))
  np.testing.assert_allclose(weights, np.full(5, 1 / 5), rtol=1e-6)


def test_interpolation_by_hand():
  content, attention = jnp.array([1., 0., 0.]), jnp.array([0., .5, .5])
  found = addressing.interpolate(content, attention, .2)
  np.testing.assert_allclose(found, [.2, .4, .4], rtol=1e-6)


@pytest.mark.parametrize('sizes, message', [
    ({'addresses': 5, 'width': 0}, 'width 0; use .* at least 1'),
    ({'addresses': 5, 'width': 3, 'read_heads': 6}, 'read_heads is 6 .* 5 addresses; use 1 to 5'),
    ({'addresses': 5, 'width': 3, 'write_heads': 0}, 'write_heads is 0 .* use 1 to 5'),
])
def test_impossible_sizes_are_an_error_of_one_line(sizes, message):
  with pytest.raises(ValueError, match=message) as caught:
    addressing.check_sizes(**sizes)
  assert '\n' not in str(caught.value)


def test_as_many_heads_as_addresses_are_allowed():
  addressing.check_sizes(5, width=1, read_heads=5, write_heads=1)


def test_content_on_a_ring_is_that_of_fewer_addresses(rng):
  with jax.enable_x64(True):
    memory, key = rng.normal(size=(4, 9)), rng.normal(size=4)
    found = jax.jit(addressing.content_weights)(memory, key, 3., 6)
  np.testing.assert_allclose(found[:6], oracle.content_weights(memory[:, :6], key, 3.), atol=1e-12)
  np.testing.assert_array_equal(found[6:], 0)
