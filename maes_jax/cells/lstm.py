"""The stacked LSTM baseline (paper, section 5.4), a cell without a memory.

Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000, no peepholes.
"""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax.numpy as jnp

from maes_jax.cells import base


class State(NamedTuple):
  """What the cell carries from one step to the next."""
  hidden: chex.Array  # h_t [layers, H]
  cell: chex.Array  # c_t [layers, H]


def update(raw: chex.Array, cell_tm1: chex.Array) -> tuple[chex.Array, chex.Array]:
  """One LSTM layer after its projection: raw gates [4 H] and c_{t-1} [H] to h_t and c_t [H].

  Source: Graves et al. 2016 (DNC), methods, controller network; there c is called s.
  """
  # i, f, o = sigma(W [x_t, h_{t-1}] + b);  g = tanh(W_g [x_t, h_{t-1}] + b_g)
  gates, candidate = jnp.split(raw, [3 * cell_tm1.size])
  keep_in, forget, show = jnp.split(nn.sigmoid(gates), 3)
  # c_t = f c_{t-1} + i g
  cell_t = forget * cell_tm1 + keep_in * jnp.tanh(candidate)
  # h_t = o tanh(c_t)
  return show * jnp.tanh(cell_t), cell_t


class Lstm(base.Cell):
  """Layers of LSTM units, each layer fed by the one below.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    layers: how many LSTM layers lie on top of each other.
    units: H, units per layer.
  """
  layers: int = 3
  units: int = 512

  @property
  def recomputes(self) -> bool:
    """Its matrix products are most of the work and its state is small."""
    return False

  def initial_state(self, addresses: int) -> State:
    """Zeros; there is no memory, so `addresses` changes nothing.

    Raises:
      ValueError: fewer than one layer or unit.
    """
    del addresses
    if self.layers < 1 or self.units < 1:
      raise ValueError(f'an LSTM of {self.layers} layers of {self.units} units; '
                       'use at least 1 of each')
    return State(*jnp.zeros((2, self.layers, self.units)))

  @nn.compact
  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, base.Step]:
    """One time step on the input x_t [X]; see `update` for the equations."""
    below_t, layers_t = x_t, []
    for layer, (hidden_tm1, cell_tm1) in enumerate(zip(*state_tm1)):
      z_t = jnp.concatenate([below_t, hidden_tm1])
      raw_t = nn.Dense(4 * self.units, name=f'layer_{layer}')(z_t)
      layers_t.append(update(raw_t, cell_tm1))
      below_t = layers_t[-1][0]
    output_t = nn.Dense(self.outputs, name='output')(below_t) if self.outputs else None
    return State(*map(jnp.stack, zip(*layers_t))), base.Step(output_t, read=None, write=None)
