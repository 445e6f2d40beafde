"""The DWM against its equations in double precision, and what its bookmark is for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import families
from maes_jax.cells import dwm
from maes_jax.cells import heads
from maes_jax.config import Config
from tests.cells import random_numbers
from tests.cells.single_precision import assert_stays_close
from tests.oracles import dwm as oracle

INPUTS, ADDRESSES = 10, 7
STAY, BACK, FIRST = np.eye(3)  # j_t


def cell(**options):
  return dwm.Dwm(**{'outputs': 3, 'width': 4, 'units': 2, **options})


def random_params(rng, module):
  """Small ones: what is added to memory is linear in what is read, and grows."""
  return jax.tree.map(lambda leaf: leaf / 3,
                      random_numbers.params(rng, module, ADDRESSES, INPUTS))


@pytest.mark.parametrize('shift_range', [0, 1, 2])
def test_steps_are_the_equations(shift_range):
  rng, module = np.random.default_rng(shift_range), cell(shift_range=shift_range)
  with jax.enable_x64(True):
    params = random_params(rng, module)
    attention, bookmark = random_numbers.attention(rng, 2, ADDRESSES)
    state = expected = random_numbers.tree(rng, module.initial_state(ADDRESSES))._replace(
        attention=attention, bookmark=bookmark)
    apply = jax.jit(module.apply)
    for x_t in rng.normal(size=(8, INPUTS)):
      before = state.attention
      state, shown = apply({'params': params}, state, x_t)
      expected, logits = oracle.step(params, expected, x_t)
      np.testing.assert_allclose(shown.output, logits, rtol=1e-9, atol=1e-9)
      np.testing.assert_array_equal([shown.read[0], shown.write[0]], [before, before])
      for found, wanted in zip(state, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_single_precision_is_close_from_the_first_state_on():
  rng, module = np.random.default_rng(4), cell()
  assert_stays_close(module, random_params(rng, module), module.initial_state(ADDRESSES),
                     oracle.step, rng.normal(size=(12, INPUTS)))


def go(jump, keep, attention, bookmark, shift=(0., 1., 0.)):
  """The head's and the bookmark's address after one sharp step."""
  params = dwm.Interface(
      add=None, erase=None, jump=jnp.array(jump), keep=jnp.float32(keep),
      move=heads.Shift(jnp.array(shift), jnp.float32(5)))
  ends = dwm.attend(params, *jnp.eye(ADDRESSES)[jnp.array([attention, bookmark])])
  assert all(end.max() > 1 - 1e-6 for end in ends)
  return [int(end.argmax()) for end in ends]


def test_head_and_bookmark_by_hand():
  """Head at 4, bookmark at 2: where each goes."""
  assert go(STAY, 1, 4, 2) == [4, 2]
  assert go(BACK, 1, 4, 2) == [2, 2]
  assert go(FIRST, 1, 4, 2) == [0, 2]
  assert go(STAY, 0, 4, 2) == [4, 4]
  assert go(BACK, 0, 4, 2) == [4, 4]  # The bookmark is set before the head goes to it.
  assert go(BACK, 1, 4, 2, shift=(0., 0., 1.)) == [3, 2]  # It shifts from where it went.


def test_first_state_is_as_documented():
  state = cell().initial_state(ADDRESSES)
  np.testing.assert_array_equal(state.memory, np.full((4, ADDRESSES), np.float32(.01)))
  np.testing.assert_array_equal([state.attention, state.bookmark], np.eye(ADDRESSES)[[0, 0]])
  assert not state.hidden.any()


def test_its_recipe_is_its_authors():
  """Adam at 0.005 in batches of 64, without short sequences first."""
  config = families.resolve(Config(model='dwm', max_length=10))
  assert (config.learning_rate, config.batch_size, config.warmup) == (.005, 64, 0)
  assert (config.start_length, config.full_range_from) == (10, 0)


def test_the_papers_sizes():
  """Five units and words of ten; z_t = [x_t, h_{t-1}, r_t]; 4 numbers more than MAES asks for."""
  module = dwm.Dwm(outputs=8)
  shapes = jax.eval_shape(lambda: module.init(
      jax.random.key(0), module.initial_state(30), jnp.zeros(INPUTS)))['params']
  assert {name: layer['kernel'].shape for name, layer in shapes.items()} == {
      'hidden': (25, 5), 'interface': (25, 2 * 10 + 3 + 1 + 4), 'output': (25, 8)}
