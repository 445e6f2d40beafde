"""Mamba-2, a state space model whose transitions depend on the input, without a memory.

Source: Dao and Gu, Transformers are SSMs, 2024, section 7 for the block; the recurrence is one step
of what SSD, with its scalar A (section 5), does for a whole sequence.
"""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax.numpy as jnp

from maes_jax import precision
from maes_jax.cells import residual
from maes_jax.options import MANY
from maes_jax.options import option


class Block(NamedTuple):
  """What a block carries."""
  before: chex.Array  # the last inputs of the convolution [taps - 1, heads P + 2 S]
  state: precision.Wide  # h_t [heads, P, S]


class Mamba2(residual.Residual):
  """One step of Mamba-2 blocks; all heads share B and C.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    units: D, numbers that go from block to block.
    layers: how many blocks.
    heads: how many states a block has side by side.
    head_width: P, numbers that a head takes in.
    states: S, how many numbers a head carries of each of these.
    taps: inputs that the convolution sees.
  """
  heads: int = option(2, minimum=1, maximum=MANY)
  head_width: int = option(8, minimum=1)
  states: int = option(8, minimum=1)
  taps: int = option(4, minimum=1, maximum=MANY)

  @property
  def inner(self) -> int:
    """Numbers that all heads take in."""
    return self.heads * self.head_width

  def first(self) -> Block:
    """Zeros."""
    return Block(jnp.zeros((self.taps - 1, self.inner + 2 * self.states), jnp.float32),
                 precision.Wide(jnp.zeros((self.heads, self.head_width, self.states), jnp.float32)))

  def block(self, name, state_tm1, z_t):
    channels = self.inner + 2 * self.states
    raw = nn.Dense(self.inner + channels + self.heads, use_bias=False, name=f'{name}_in')(z_t)
    gate, words, step = jnp.split(raw, [self.inner, self.inner + channels])
    # x_t, B_t, C_t = SiLU(conv(W z_t))
    before, words = self.convolved(name, state_tm1.before, words)
    words = precision.at_least_single(words)
    x_t, b_t, c_t = jnp.split(words, [self.inner, self.inner + self.states])
    x_t = x_t.reshape(self.heads, self.head_width)
    # h_t = exp(A Delta_t) h_{t-1} + Delta_t x_t B_t^T
    step_t, keep = self.decay(name, step)
    driven = (step_t[:, None] * x_t)[:, :, None] * b_t[None, None]
    state_t = keep[:, None, None] * precision.wide(state_tm1.state) + driven
    # y_t = h_t C_t + D x_t;  W_o norm(y_t o SiLU(gate))
    skip = self.param(f'{name}_d', nn.initializers.ones, (self.heads,), jnp.float32)
    y_t = state_t @ c_t + precision.at_least_single(skip)[:, None] * x_t
    shown = residual.norm(f'{name}_norm', y_t.ravel().astype(z_t.dtype) * nn.silu(gate))
    out = nn.Dense(self.units, use_bias=False, name=f'{name}_out')(shown)
    return Block(before, precision.Wide(state_t)), out
