"""The mLSTM, the LSTM with a matrix for a cell, without a memory of addresses.

Source: Beck et al., xLSTM: extended long short-term memory, 2024, section 2.3, equations 19 to 27,
and its appendix for the stabilizer; its code (NX-AI/xlstm) for where gates start. The block is the
cell alone, without convolution or norm.
"""

import math
from typing import NamedTuple

import chex
from flax import linen as nn
import jax.numpy as jnp

from maes_jax import precision
from maes_jax.cells import residual
from maes_jax.options import MANY
from maes_jax.options import option


class Block(NamedTuple):
  """What a block carries; C and n are smaller by exp(m) than in the paper's equations."""
  cell: chex.Array  # C_t [heads, V, K]
  normalizer: chex.Array  # n_t [heads, K]
  stabilizer: chex.Array  # m_t [heads], a logarithm


def update(
    state_tm1: Block,
    query: chex.Array,  # [heads, K]
    key: chex.Array,  # [heads, K]
    value: chex.Array,  # [heads, V]
    gates: chex.Array,  # [2, heads] of input and forgetting, before exp and sigma
) -> tuple[Block, chex.Array]:
  """One step of every head: the state, and what the query finds [heads, V]."""
  log_in, log_keep = gates[0], nn.log_sigmoid(gates[1])
  # m_t = max(log f_t + m_{t-1}, log i_t);  i'_t = i_t / exp(m_t);  f'_t = f_t exp(m_{t-1} - m_t)
  stabilizer_t = jnp.maximum(log_keep + state_tm1.stabilizer, log_in)
  take_in = jnp.exp(log_in - stabilizer_t)
  keep = jnp.exp(log_keep + state_tm1.stabilizer - stabilizer_t)
  # C_t = f'_t C_{t-1} + i'_t v_t k_t^T;  n_t = f'_t n_{t-1} + i'_t k_t
  added = value[:, :, None] * (take_in[:, None] * key)[:, None]
  cell_t = keep[:, None, None] * state_tm1.cell + added
  normalizer_t = keep[:, None] * state_tm1.normalizer + take_in[:, None] * key
  # h~_t = C_t q_t / max(|n_t^T q_t|, exp(-m_t))
  found = jnp.einsum('hvk,hk->hv', cell_t, query)
  # Where exp(-m_t) overflows, nothing is found anyhow; its derivative must stay a number.
  least = jnp.exp(jnp.minimum(-stabilizer_t, _largest(stabilizer_t.dtype)))
  size = jnp.maximum(jnp.abs(jnp.sum(normalizer_t * query, axis=1)), least)
  return Block(cell_t, normalizer_t, stabilizer_t), found / size[:, None]


def _largest(dtype):
  """Whose exponential is a number still."""
  return math.log(jnp.finfo(dtype).max) - 1


class Mlstm(residual.Residual):
  """One step of blocks of mLSTM heads.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    units: D, numbers that go from block to block.
    layers: how many blocks.
    heads: how many cells a block has side by side.
    head_width: K and V, numbers of a key and of a value.
  """
  units: int = option(10, minimum=1)
  heads: int = option(2, minimum=1, maximum=MANY)
  head_width: int = option(8, minimum=1)

  def first(self) -> precision.Wide:
    """Zeros: nothing is stored."""
    shape = self.heads, self.head_width
    return precision.Wide(Block(*(jnp.zeros(size, jnp.float32)
                                  for size in ((*shape, self.head_width), shape, shape[:1]))))

  def block(self, name, state_tm1, z_t):
    # q, k, v = W z + b, k / sqrt(K);  i, f from w^T z + b;  o_t = sigma(W_o z + b_o)
    inner = self.heads * self.head_width
    size = 4 * inner + 2 * self.heads
    raw = nn.Dense(size, name=f'{name}_interface', bias_init=self._bias)(z_t)
    words, gates = jnp.split(raw, [4 * inner])
    words = words.reshape(4, self.heads, self.head_width)
    query, key, value = precision.at_least_single(words[:3])
    gates = precision.at_least_single(gates).reshape(2, self.heads)
    state_t, found = update(
        precision.wide(state_tm1), query, key * self.head_width**-0.5, value, gates)
    # h_t = o_t o h~_t
    shown = nn.sigmoid(words[3]) * found.astype(z_t.dtype)
    return precision.Wide(state_t), nn.Dense(self.units, name=f'{name}_out')(shown.ravel())

  def _bias(self, unused_key, shape, dtype):
    """Zeros, but for the gates that forget: these start out open, each head's more or less."""
    return jnp.zeros(shape, dtype).at[-self.heads:].set(jnp.linspace(3, 6, self.heads, dtype=dtype))
