"""Gated DeltaNet, whose transitions have eigenvalues in [-1, 1], without a memory of addresses.

Source: Yang, Kautz and Hatamizadeh, Gated Delta Networks, 2025, section 3; Grazzi et al., Unlocking
state-tracking in linear RNNs through negative eigenvalues, 2025, for beta in (0, 2).
"""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import precision
from maes_jax.cells import residual
from maes_jax.options import MANY
from maes_jax.options import option

SHORTEST = 1e-6  # Squares of lengths have this added before they divide.


class Block(NamedTuple):
  """What a block carries."""
  before: chex.Array  # the last inputs of the convolution [taps - 1, 3 heads K]
  state: precision.Wide  # S_t [heads, V, K]


def update(
    state_tm1: chex.Array,  # [heads, V, K]
    key: chex.Array,  # [heads, K] of length 1
    value: chex.Array,  # [heads, V]
    keep: chex.Array,  # [heads] in (0, 1)
    rate: chex.Array,  # [heads] in (0, 2)
) -> chex.Array:
  """S_t [heads, V, K]: forgets, then puts a value in place of what a key finds."""
  # S_t = alpha_t S_{t-1} (I - beta_t k_t k_t^T) + beta_t v_t k_t^T
  kept = keep[:, None, None] * state_tm1
  found = jnp.einsum('hvk,hk->hv', kept, key)
  return kept + (rate[:, None] * (value - found))[:, :, None] * key[:, None]


class GatedDeltaNet(residual.Residual):
  """One step of blocks of gated delta rules.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    units: D, numbers that go from block to block.
    layers: how many blocks.
    heads: how many states a block has side by side.
    head_width: K and V, numbers of a key and of a value.
    taps: inputs that the convolution sees.
    largest_rate: beta is below this; 1 leaves eigenvalues in [0, 1], 2 in [-1, 1].
  """
  heads: int = option(2, minimum=1, maximum=MANY)
  head_width: int = option(6, minimum=1)
  taps: int = option(4, minimum=1, maximum=MANY)
  largest_rate: float = option(2., minimum=0., maximum=2.)

  def first(self) -> Block:
    """Zeros: nothing is stored."""
    channels = 3 * self.heads * self.head_width
    return Block(jnp.zeros((self.taps - 1, channels), jnp.float32),
                 precision.Wide(jnp.zeros((self.heads, self.head_width, self.head_width),
                                          jnp.float32)))

  def block(self, name, state_tm1, z_t):
    dense = lambda part, size: nn.Dense(size, use_bias=False, name=f'{name}_{part}')(z_t)
    inner = self.heads * self.head_width
    # q, k, v = SiLU(conv(W z_t)), q and k of length 1
    before, raw = self.convolved(name, state_tm1.before, dense('words', 3 * inner))
    query, key, value = precision.at_least_single(raw).reshape(3, self.heads, self.head_width)
    # alpha_t = exp(A Delta_t);  beta_t = 2 sigma(w^T z_t)
    _, keep = self.decay(name, dense('keep', self.heads))
    rate = self.largest_rate * nn.sigmoid(precision.at_least_single(dense('write', self.heads)))
    state_t = update(precision.wide(state_tm1.state), _of_length_1(key), value, keep, rate)
    # o_t = S_t q_t;  W_o (norm(o_t) o SiLU(W_g z_t))
    found = jnp.einsum('hvk,hk->hv', state_t, _of_length_1(query)).astype(z_t.dtype)
    shown = residual.norm(f'{name}_norm', found).ravel() * nn.silu(dense('gate', inner))
    out = nn.Dense(self.units, use_bias=False, name=f'{name}_out')(shown)
    return Block(before, precision.Wide(state_t)), out


def _of_length_1(vectors):
  """x / |x| of each row."""
  return vectors * jax.lax.rsqrt(jnp.sum(vectors**2, axis=1, keepdims=True) + SHORTEST)
