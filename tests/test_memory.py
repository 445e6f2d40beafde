"""Algorithm 1's four functions against loops, hand-worked numbers and their own invariants."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import memory
from tests.oracles import maes as oracle

SIZES = [(1, 0), (3, 1), (4, 1), (5, 2), (30, 1), (30, 2), (64, 5)]  # N, k


@pytest.fixture
def rng():
  return np.random.default_rng(0)


def weights(rng, size):
  """Random attention or kernel: non-negative, sums to 1."""
  return rng.dirichlet(np.full(size, 0.5))


class TestAgainstLoops:
  """In double precision, so that agreement to 1e-12 leaves no room for another formula."""

  @pytest.fixture(autouse=True)
  def double_precision(self):
    with jax.enable_x64(True):
      yield

  @pytest.mark.parametrize('addresses, k', SIZES)
  def test_shift(self, rng, addresses, k):
    for _ in range(10):
      attention, kernel = weights(rng, addresses), weights(rng, 2 * k + 1)
      np.testing.assert_allclose(
          jax.jit(memory.shift)(attention, kernel), oracle.shift(attention, kernel), atol=1e-12)

  @pytest.mark.parametrize('addresses', [1, 3, 30])
  def test_sharpen(self, rng, addresses):
    for gamma in (1., 1.5, 10., 100.):
      attention = weights(rng, addresses)
      np.testing.assert_allclose(
          memory.sharpen(attention, gamma), oracle.sharpen(attention, gamma), atol=1e-12)

  @pytest.mark.parametrize('width, addresses', [(1, 1), (10, 30), (4, 7)])
  def test_read_and_erase_and_add(self, rng, width, addresses):
    content, attention = rng.normal(size=(width, addresses)), weights(rng, addresses)
    erase, add = rng.uniform(size=width), rng.normal(size=width)
    np.testing.assert_allclose(
        memory.read(content, attention), oracle.read(content, attention), atol=1e-12)
    np.testing.assert_allclose(
        memory.erase_and_add(content, attention, erase, add),
        oracle.erase_and_add(content, attention, erase, add), atol=1e-12)


class TestByHand:

  def test_read_mixes_words_by_attention(self):
    """1/4 of word (4, 8) and 3/4 of word (0, 4)."""
    content = jnp.array([[4., 0.], [8., 4.]])
    np.testing.assert_array_equal(memory.read(content, jnp.array([.25, .75])), [1., 5.])

  def test_read_of_one_address_is_its_word(self):
    content = jnp.arange(12.).reshape(3, 4)
    np.testing.assert_array_equal(memory.read(content, jnp.eye(4)[2]), [2., 6., 10.])

  def test_erase_and_add_on_half_attention(self):
    """2 (1 - 1/2 * 1/2) + 3 * 1/2 = 3; where there is no attention nothing happens."""
    written = memory.erase_and_add(
        jnp.array([[2., 2.]]), jnp.array([.5, 0.]), jnp.array([.5]), jnp.array([3.]))
    np.testing.assert_array_equal(written, [[3., 2.]])

  def test_full_erase_replaces_a_word_and_no_other(self):
    written = memory.erase_and_add(
        jnp.ones((2, 3)), jnp.eye(3)[1], jnp.ones(2), jnp.array([5., 7.]))
    np.testing.assert_array_equal(written, [[1., 5., 1.], [1., 7., 1.]])

  def test_shift_spreads_by_the_kernel(self):
    """From address 0: tap 0 goes back to 3, tap 1 stays, tap 2 goes forward to 1."""
    moved = memory.shift(jnp.array([1., 0., 0., 0.]), jnp.array([.5, .25, .125]))
    np.testing.assert_array_equal(moved, [.25, .125, 0., .5])

  def test_sharpen_squares(self):
    """1/4, 3/4 squared are 1/16, 9/16: shares 1/10 and 9/10."""
    np.testing.assert_allclose(memory.sharpen(jnp.array([.25, .75]), 2.), [.1, .9], rtol=1e-6)


class TestShift:

  @pytest.mark.parametrize('addresses, k', SIZES)
  def test_tap_j_moves_j_minus_k_forward(self, rng, addresses, k):
    attention = jnp.array(weights(rng, addresses))
    for j, tap in enumerate(jnp.eye(2 * k + 1)):
      moved = jax.jit(memory.shift)(attention, tap)
      np.testing.assert_array_equal(moved, np.roll(attention, j - k))

  def test_keeps_all_mass(self, rng):
    attention, kernel = jnp.array(weights(rng, 30)), jnp.array(weights(rng, 5))
    moved = memory.shift(attention, kernel)
    assert moved.min() >= 0
    np.testing.assert_allclose(moved.sum(), 1, rtol=1e-6)

  def test_even_kernel_is_an_error(self):
    with pytest.raises(ValueError, match=r'2 taps.* odd number'):
      memory.shift(jnp.ones(4), jnp.ones(2))

  def test_kernel_wider_than_memory_is_an_error(self):
    with pytest.raises(ValueError, match=r'5 taps .*4 addresses.* at least 5'):
      memory.shift(jnp.ones(4), jnp.ones(5))


def flat(addresses):
  return jnp.full(addresses, 1 / addresses)


def hostile_attentions(addresses):
  """Inputs that break the usual (w + epsilon)^gamma: zeros, denormals, all equal, all but one 0."""
  almost = flat(addresses).at[0].add(1e-6)
  return {
      'flat': flat(addresses),
      'almost flat': almost,
      'one-hot': jnp.eye(addresses)[addresses // 2],
      'zeros': jnp.where(jnp.arange(addresses) % 2 == 0, 2 / addresses, 0.),
      'denormal': jnp.eye(addresses)[0].at[1].set(1e-40),
      'smallest normal': jnp.eye(addresses)[0].at[1].set(jnp.finfo(jnp.float32).tiny),
  }


@pytest.mark.parametrize('ring', [-1, 0, 2, 10])
def test_a_ring_that_the_kernel_or_the_memory_is_too_small_for_is_an_error(ring):
  """Weight would be lost without a word."""
  for given in (ring, jnp.int32(ring)):
    with pytest.raises(ValueError, match=f'ring is {ring}; .* a whole number of 3 to 9'):
      memory.shift(jnp.eye(9)[0], jnp.ones(3) / 3, given)


class TestSharpen:

  def test_gamma_1_changes_nothing(self, rng):
    attention = jnp.array(weights(rng, 30))
    np.testing.assert_allclose(memory.sharpen(attention, 1.), attention, rtol=1e-5)

  @pytest.mark.parametrize('addresses', [2, 4096])
  def test_sums_to_1_with_finite_gradient(self, addresses):
    @jax.jit
    def value_and_gradients(attention, gamma):
      pick = jnp.linspace(-1, 1, addresses)  # A sum would have no gradient.
      value = memory.sharpen(attention, gamma)
      return value, jax.grad(lambda w, g: memory.sharpen(w, g) @ pick, (0, 1))(attention, gamma)

    for (name, attention), gamma in itertools.product(
        hostile_attentions(addresses).items(), (1., 10., 100.)):
      value, gradients = jax.device_get(value_and_gradients(attention, gamma))
      np.testing.assert_allclose(value.sum(), 1, rtol=1e-5, err_msg=f'{name}, {gamma}')
      assert value.min() >= 0, (name, gamma)
      for gradient in gradients:
        assert np.isfinite(gradient).all(), (name, gamma)

  def test_flat_attention_keeps_all_mass(self):
    """The usual form keeps 8e-16 of it: (1/1024)^10 = 8e-31 beside an epsilon of 1e-12."""
    np.testing.assert_allclose(memory.sharpen(flat(1024), 10.), flat(1024), rtol=1e-5)

  @pytest.mark.parametrize('dtype', [jnp.float16, jnp.bfloat16])
  @pytest.mark.parametrize('addresses', [16_384, 32_768])
  def test_flat_attention_over_many_addresses_keeps_all_mass_in_half_precision(
      self, addresses, dtype):
    """In float16 a share of 2^-15 is less than its smallest normal number, and still there."""
    attention = jnp.full(addresses, 1 / addresses, dtype)
    sharp = memory.sharpen(attention, dtype(1.))
    assert sharp.dtype == dtype
    np.testing.assert_array_equal(sharp, attention)
    slope = jax.grad(lambda w: memory.sharpen(w, dtype(2.))[0])(attention)
    assert np.isfinite(slope).all()

  def test_where_nothing_is_nothing_comes(self):
    attention = jnp.array([0., .5, 0., .5])
    np.testing.assert_allclose(memory.sharpen(attention, 3.), attention, rtol=1e-6)

  @pytest.mark.parametrize('attention', [[jnp.nan] * 3, [.5, jnp.nan, .5]])
  def test_what_is_no_number_stays_none(self, attention):
    """Not zeros, by which a model that has diverged would go on with answers that are finite."""
    assert np.isnan(memory.sharpen(jnp.array(attention), 2.)).all()

  def test_gradient_against_differences(self, rng):
    with jax.enable_x64(True):
      attention, gamma, move = weights(rng, 6), 2.5, rng.normal(size=6)
      pick = jax.jit(lambda w, g: memory.sharpen(w, g) @ jnp.arange(6.))
      by_attention, by_gamma = jax.grad(pick, (0, 1))(attention, gamma)
      change = lambda e: pick(attention + e * move, gamma + e)
      np.testing.assert_allclose(
          by_attention @ move + by_gamma, (change(1e-6) - change(-1e-6)) / 2e-6, rtol=1e-6)


def test_long_use_stays_a_distribution(rng):
  """1,000 moves and sharpenings, as in a sequence of length 1,000: no drift, no leak."""
  kernels = jnp.array([weights(rng, 3) for _ in range(1000)])
  gammas = jnp.array(1 + rng.exponential(size=1000))

  def move(attention, inputs):
    attention = memory.sharpen(memory.shift(attention, inputs[0]), inputs[1])
    return attention, (attention.sum(), attention.min())

  _, (sums, least) = jax.lax.scan(move, flat(1024), (kernels, gammas))
  np.testing.assert_allclose(sums, 1, rtol=1e-5)
  assert least.min() >= 0


@pytest.mark.parametrize('taps', [1, 3, 5])
@pytest.mark.parametrize('ring', [5, 6, 9])
def test_shift_on_a_ring_is_that_of_fewer_addresses(rng, ring, taps):
  with jax.enable_x64(True):
    attention, kernel = rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(taps))
    moved = jax.jit(memory.shift)(attention, kernel, ring)
  np.testing.assert_allclose(moved[:ring], oracle.shift(attention[:ring], kernel), atol=1e-12)
  np.testing.assert_array_equal(moved[ring:], 0)
