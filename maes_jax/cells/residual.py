"""Blocks over each other, u + block(norm(u)): what the recurrences without a controller share.

LRU, mLSTM, Gated DeltaNet, Mamba-2 and the Transformer differ in how a block takes in the past; all
their papers put it between a norm and a sum with what came in. Below is also what two of them have
in common.
"""

import math
from typing import Any, NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import precision
from maes_jax.cells import base
from maes_jax.options import MANY
from maes_jax.options import option


class State(NamedTuple):
  """What the cell carries from one step to the next."""
  stream: chex.Array  # u_t [D] behind the last block; no step reads it, it is there to be shown
  blocks: Any  # what each block carries, leaves [layers, ...]


class Residual(base.Cell):
  """A cell of blocks; those that derive from it say what a block is.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    units: D, numbers that go from block to block.
    layers: how many blocks.
  """
  units: int = option(12, minimum=1)
  layers: int = option(2, minimum=1, maximum=MANY)

  def first(self) -> Any:
    """What a block carries into the first step."""
    raise NotImplementedError

  def block(self, name: str, state_tm1: Any, z_t: chex.Array) -> tuple[Any, chex.Array]:
    """One step of the block of that name on z_t [D]: what it carries, and what it adds [D]."""
    raise NotImplementedError

  def further(self, name: str, stream_t: chex.Array) -> chex.Array:
    """What comes of the stream [D] behind the block of that name."""
    del name
    return stream_t

  def initial_state(self, addresses: int) -> State:
    """The same for each block; there is no memory, so `addresses` changes nothing."""
    del addresses
    blocks = jax.tree.map(lambda leaf: jnp.stack([leaf] * self.layers), self.first())
    return State(jnp.zeros(self.units, jnp.float32), blocks)

  def features(self, state: State) -> chex.Array:
    """u_t [D]."""
    return state.stream

  @nn.compact
  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, base.Step]:
    """One time step on the input x_t [X]."""
    # Nothing in its bias, an empty item would be 0, which a norm has a huge gradient at.
    bias = nn.initializers.normal(1.)
    stream_t, blocks_t = nn.Dense(self.units, name='input', bias_init=bias)(x_t), []
    for layer in range(self.layers):
      block_tm1 = jax.tree.map(lambda leaf: leaf[layer], state_tm1.blocks)  # noqa: B023
      z_t = norm(f'norm_{layer}', stream_t)
      # u_t <- u_t + block(norm(u_t))
      block_t, added_t = self.block(f'block_{layer}', block_tm1, z_t)
      stream_t = self.further(f'block_{layer}', stream_t + added_t)
      blocks_t.append(block_t)
    state_t = State(stream_t, jax.tree.map(lambda *leaves: jnp.stack(leaves), *blocks_t))
    return state_t, base.Step(self.answer(stream_t), read=None, write=None)

  def convolved(
      self, name: str, before: chex.Array, z_t: chex.Array,  # [taps - 1, C], [C]
  ) -> tuple[chex.Array, chex.Array]:
    """A short convolution over time, then SiLU: the last inputs [taps - 1, C], its output [C]."""
    window = jnp.concatenate([before, z_t[None]])
    kernel = self.param(f'{name}_taps', nn.initializers.lecun_normal(), window.shape, jnp.float32)
    # SiLU(sum_j K[j] z_{t - taps + 1 + j})
    return window[1:], nn.silu(jnp.sum(kernel * window, axis=0))

  def decay(self, name: str, raw: chex.Array) -> tuple[chex.Array, chex.Array]:
    """Delta_t and exp(A Delta_t) [heads]: how long a step lasts, and what it leaves of the past.

    In float32 at least: half precision knows no numbers between 0.996 and 1.

    Source: Gu and Dao, Mamba, 2023, section 3.6, also for where the parameters start.
    """
    raw, bias, rate = map(precision.at_least_single, (
        raw, self.param(f'{name}_step_bias', _step_bias, raw.shape),
        self.param(f'{name}_rate', _rate, raw.shape)))
    step = nn.softplus(raw + bias)
    # A = -exp(rate)
    return step, jnp.exp(-jnp.exp(rate) * step)


def norm(name: str, numbers: chex.Array) -> chex.Array:
  """x / sqrt(mean x^2) by the last axis, times learnt numbers, in the dtype of both."""
  with jax.numpy_dtype_promotion('standard'):  # Flax's own means are in float32 at least.
    return nn.RMSNorm(name=name)(numbers)


def _step_bias(key, shape):
  """What softplus makes steps of 0.001 to 0.1 of, evenly spread in their logarithm."""
  step = jnp.exp(jax.random.uniform(key, shape, jnp.float32, math.log(0.001), math.log(0.1)))
  return step + jnp.log(-jnp.expm1(-step))


def _rate(key, shape):
  """-A from 1 to 16."""
  return jnp.log(jax.random.uniform(key, shape, jnp.float32, 1., 16.))
