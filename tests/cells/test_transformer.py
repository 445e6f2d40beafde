"""The Transformer, token by token, against attention over whole sequences in double precision."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax.cells import transformer
from tests.cells import random_numbers

INPUTS, LAYERS, HEADS, WIDTH, ADDRESSES = 4, 2, 2, 5, 3  # It looks back on 8 tokens.
SMALL = {'outputs': 3, 'units': 6, 'layers': LAYERS, 'heads': HEADS, 'head_width': WIDTH,
         'inner': 7}
ANY_POSITION = pytest.mark.parametrize('position', transformer.POSITIONS)


def drawn(position):
  module = transformer.Transformer(position=position, **SMALL)
  with jax.enable_x64(True):
    return module, random_numbers.params(np.random.default_rng(1), module, ADDRESSES, INPUTS)


def answers(module, params, inputs, skipped=None):
  """Logits [T, Y] token by token."""
  with jax.enable_x64(True):
    noise = None if skipped is None else {'skipped': np.asarray(skipped, float)}
    state = module.initial_state(ADDRESSES)
    _, shown = module.unroll(params, state, inputs, noise=noise)
    return shown.output


def norm(params, x):
  return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * np.asarray(params['scale'])


def dense(params, x):
  return x @ np.asarray(params['kernel']) + np.asarray(params.get('bias', 0.))


def turned(words, positions):
  """Pairs of numbers as complex ones, times exp(i position / wavelength)."""
  half = WIDTH // 2
  pairs = words[:, :half] + 1j * words[:, half:2 * half]
  for i in range(half):
    pairs[:, i] *= np.exp(1j * positions * 10_000. ** (-i / half))
  return np.concatenate([pairs.real, pairs.imag, words[:, 2 * half:]], 1)


def attended(params, name, z, position, positions):
  """Of all tokens at once; none sees one after it or more than 7 before it."""
  size, shown = len(z), []
  query, key, value = np.split(dense(params[f'{name}_words'], z), 3, axis=1)
  near = np.tril(np.ones((size, size))) * np.triu(np.ones((size, size)), -(2 * ADDRESSES + 1))
  for h in range(HEADS):
    q, k, v = (part[:, h * WIDTH:(h + 1) * WIDTH] for part in (query, key, value))
    if position in ('rotary', 'random'):
      q, k = turned(q, positions), turned(k, positions)
    scores = q @ k.T / math.sqrt(WIDTH)
    if position == 'bias':
      scores -= 2. ** (-8 * (h + 1) / HEADS) * (positions[:, None] - positions[None])
    weights = np.exp(np.where(near, scores, -np.inf))
    shown.append(weights / weights.sum(1, keepdims=True) @ v)
  return dense(params[f'{name}_out'], np.concatenate(shown, 1))


def gelu(x):
  return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def expected(params, inputs, position, positions):
  stream = dense(params['input'], inputs)
  for n in range(LAYERS):
    name = f'block_{n}'
    stream = stream + attended(params, name, norm(params[f'norm_{n}'], stream), position, positions)
    units = gelu(dense(params[f'{name}_units'], norm(params[f'{name}_norm'], stream)))
    stream = stream + dense(params[f'{name}_network'], units)
  return dense(params['output'], stream)


@ANY_POSITION
@pytest.mark.parametrize('size', [1, 8, 20])
def test_token_by_token_is_attention_over_all_at_once(position, size):
  module, params = drawn(position)
  inputs = np.random.default_rng(2).normal(size=(size, INPUTS))
  np.testing.assert_allclose(
      answers(module, params, inputs), expected(params, inputs, position, np.arange(size)),
      rtol=1e-9, atol=1e-9)


def test_random_positions_are_those_of_the_noise():
  module, params = drawn('random')
  inputs, skipped = np.random.default_rng(3).normal(size=(8, INPUTS)), [3, 0, 0, 7, 1, 0, 20, 2]
  positions = np.cumsum(np.add(skipped, 1)) - 1
  found = answers(module, params, inputs, skipped)
  np.testing.assert_allclose(
      found, expected(params, inputs, 'random', positions), rtol=1e-9, atol=1e-9)
  assert np.abs(found - answers(module, params, inputs)).max() > 1e-3


def test_rotation_tells_distances_alone():
  module, params = drawn('random')
  inputs = np.random.default_rng(4).normal(size=(8, INPUTS))
  moved = answers(module, params, inputs, [500, *[0] * 7])
  np.testing.assert_allclose(moved, answers(module, params, inputs), rtol=1e-9, atol=1e-9)


def test_without_positions_the_order_of_tokens_before_the_last_changes_one_layer_in_nothing():
  module, params = drawn('none')
  one = transformer.Transformer(position='none', **{**SMALL, 'layers': 1})
  inputs = np.random.default_rng(5).normal(size=(6, INPUTS))
  other = inputs[[3, 1, 4, 0, 2, 5]]
  last = [answers(one, params, tokens)[-1] for tokens in (inputs, other)]
  np.testing.assert_allclose(*last, rtol=1e-9, atol=1e-9)
  assert np.abs(answers(module, params, inputs)[-1] -
                answers(module, params, other)[-1]).max() > 1e-3


@pytest.mark.parametrize('steps', [1, 5, 40])
def test_positions_in_training_are_a_sample_without_repeats(steps):
  module = transformer.Transformer(position='random', span=40)
  keys = jax.random.split(jax.random.key(0), 200)
  skipped = jax.vmap(lambda key: module.draw_noise(key, steps)['skipped'])(keys)
  positions = np.cumsum(skipped + 1, axis=1) - 1
  assert (skipped >= 0).all() and (positions < 40).all()
  assert abs(positions.mean() - 19.5) < 2


def test_a_span_shorter_than_the_sequence_is_stretched():
  noise = transformer.Transformer(position='random', span=3).draw_noise(jax.random.key(0), 7)
  np.testing.assert_array_equal(noise['skipped'], np.zeros(7))


@pytest.mark.parametrize('position', ['none', 'rotary', 'bias'])
def test_others_are_not_disturbed(position):
  assert transformer.Transformer(position=position).draw_noise(jax.random.key(0), 3) is None


def test_positions_stay_whole_numbers_in_half_precision():
  """bfloat16 knows no 257."""
  module = transformer.Transformer(**SMALL)
  state = module.initial_state(300)
  params = jax.tree.map(jnp.bfloat16, random_numbers.params(
      np.random.default_rng(6), module, ADDRESSES, INPUTS))
  last, shown = jax.jit(module.unroll)(params, state, jnp.ones((300, INPUTS), jnp.bfloat16))
  assert shown.output.dtype == jnp.bfloat16
  np.testing.assert_array_equal(last.blocks.positions.numbers[0, :300], np.arange(300)[::-1])


@pytest.mark.parametrize('position', ['rotary', 'random'])
def test_what_cannot_be_turned_is_refused(position):
  with pytest.raises(errors.UserError, match='turns pairs of numbers; use a head_width of at le'):
    transformer.Transformer(position=position, head_width=1)
  assert transformer.Transformer(position='bias', head_width=1).head_width == 1


@pytest.mark.parametrize('steps', [1, 2, 3, 4, 9, 10])
def test_addresses_for_so_many_steps_keep_them_all_and_no_fewer_do(steps):
  kept = lambda addresses: 2 * addresses + 2
  needed = transformer.Transformer.addresses_for(steps)
  assert kept(needed) >= steps and (needed == 1 or kept(needed - 1) < steps)
