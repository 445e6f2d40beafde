"""A Transformer decoder that reads one token a step, and keeps keys and values of those before.

Source: Vaswani et al., Attention is all you need, 2017, with norms before the blocks (Xiong et al.
2020). Where a token stands is told as one of `POSITIONS`: not at all (Kazemnejad et al. 2023), by
rotating queries and keys (Su et al. 2021), by a bias for distance (Press et al. 2022), or rotating
by random positions in training (Ruoss et al. 2023).
"""

from collections.abc import Mapping
from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import errors
from maes_jax import precision
from maes_jax.cells import residual
from maes_jax.options import MANY
from maes_jax.options import option

POSITIONS = 'none', 'rotary', 'bias', 'random'
_BASE = 10_000.  # Of the wavelengths of rotation.
_NOWHERE = -1  # Where no token is kept yet.


class Block(NamedTuple):
  """What a block carries of the last C tokens, the newest first."""
  keys: chex.Array  # [C, heads, K]
  values: chex.Array  # [C, heads, K]
  positions: precision.Wide  # [C]; of no token -1


class Transformer(residual.Residual):
  """One token of a decoder; each layer is attention to all tokens so far, then a network.

  It looks back on C = 2 N + 2 tokens, all of a sequence whose N items are stored and asked for once
  with a marker before each. Older ones are forgotten, so that a task of longer sequences is refused
  where a model is trained or tested.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    units: D, numbers that go from block to block.
    layers: how many blocks.
    heads: how many attentions a block has side by side.
    head_width: K, numbers of a key and of a value.
    inner: units of the network.
    position: how it is told where a token stands, one of `POSITIONS`.
    span: with `random`, positions in training are drawn from so many.
  """
  heads: int = option(2, minimum=1, maximum=MANY)
  head_width: int = option(6, minimum=1)
  inner: int = option(14, minimum=1)
  position: str = option('rotary', choices=POSITIONS)
  span: int = option(2048, minimum=1)

  def __post_init__(self):
    super().__post_init__()
    if self.position in ('rotary', 'random') and self.head_width < 2:
      raise errors.UserError(f'head_width is {self.head_width}, and position={self.position!r} '
                             'turns pairs of numbers; use a head_width of at least 2')

  @classmethod
  def addresses_for(cls, steps: int) -> int:
    """As many as keep every token."""
    return max(1, -(-(steps - 2) // 2))

  def initial_state(self, addresses: int) -> residual.State:
    """Nothing has been read."""
    shape = self.layers, 2 * addresses + 2
    words = jnp.zeros((*shape, self.heads, self.head_width), jnp.float32)
    positions = jnp.full(shape, _NOWHERE, jnp.float32)
    return residual.State(jnp.zeros(self.units, jnp.float32),
                          Block(words, words, precision.Wide(positions)))

  def draw_noise(self, key: chex.PRNGKey, steps: int) -> Mapping | None:
    """How many positions are skipped before each step [T]: all are a sample without repeats."""
    if self.position != 'random':
      return None
    drawn = jnp.sort(jax.random.permutation(key, max(self.span, steps))[:steps])
    return {'skipped': jnp.float32(jnp.diff(drawn, prepend=-1) - 1)}

  def block(self, name, state_tm1, z_t):
    # q, k, v = W z
    size = 3 * self.heads * self.head_width
    raw = nn.Dense(size, use_bias=False, name=f'{name}_words')(z_t)
    query, key, value = raw.reshape(3, self.heads, self.head_width)
    position = self._next(precision.wide(state_tm1.positions)[0])
    if self.position in ('rotary', 'random'):
      query, key = rotated(query, position), rotated(key, position)
    state_t = jax.tree.map(lambda new, kept: jnp.concatenate([new[None], kept[:-1]]),
                           Block(key, value, precision.Wide(position)), state_tm1)
    found = self._attended(query, state_t)
    return state_t, nn.Dense(self.units, use_bias=False, name=f'{name}_out')(found.ravel())

  def further(self, name, stream_t):
    # u + W_2 gelu(W_1 norm(u) + b_1) + b_2
    z_t = residual.norm(f'{name}_norm', stream_t)
    units = nn.gelu(nn.Dense(self.inner, name=f'{name}_units')(z_t))
    return stream_t + nn.Dense(self.units, name=f'{name}_network')(units)

  def _next(self, last):
    """The position of a token after one that stands there."""
    return last + 1 + jnp.round(self.get_variable('noise', 'skipped', 0.)).astype(last.dtype)

  def _attended(self, query, state_t):
    """What each head finds [heads, K], the newest token being the one that asks."""
    # sum_j softmax_j(q k_j / sqrt(K) + bias_j) v_j
    positions = state_t.positions.numbers
    scores = jnp.einsum('hk,chk->hc', query, state_t.keys) * self.head_width**-.5
    if self.position == 'bias':
      scores = scores + self._bias(positions[0] - positions).astype(scores.dtype)
    scores = jnp.where(positions[None] == _NOWHERE, jnp.finfo(scores.dtype).min, scores)
    return jnp.einsum('hc,chk->hk', nn.softmax(scores), state_t.values)

  def _bias(self, distance):
    """-m_h times the distance [C], m_h = 2^(-8 h / heads); [heads, C]."""
    head = jnp.arange(1, self.heads + 1, dtype=distance.dtype)
    return -(2. ** (-8 / self.heads * head))[:, None] * distance[None]


def rotated(words: chex.Array, position: chex.Array) -> chex.Array:
  """Words [heads, K] of which numbers i and i + K / 2 are turned by position 10000^(-2 i / K)."""
  half, dtype = words.shape[-1] // 2, precision.at_least_single(words).dtype
  angle = position.astype(dtype) * _BASE ** (-jnp.arange(half, dtype=dtype) / half)
  cos, sin = jnp.cos(angle)[None].astype(words.dtype), jnp.sin(angle)[None].astype(words.dtype)
  first, second, rest = jnp.split(words, [half, 2 * half], axis=-1)
  return jnp.concatenate([first * cos - second * sin, first * sin + second * cos, rest], axis=-1)
