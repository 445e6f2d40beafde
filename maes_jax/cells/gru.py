"""Gated recurrent units, a cell without a memory.

Source: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014; the reset gate
after the product, as Flax and cuDNN have it (version 1 of arXiv:1406.1078).
"""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax.numpy as jnp

from maes_jax.cells import base
from maes_jax.options import option


class State(NamedTuple):
  """What the cell carries from one step to the next."""
  hidden: chex.Array  # h_t [H]


class Gru(base.Cell):
  """One layer of Flax's `nn.GRUCell` and an output layer.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    units: H.
  """
  units: int = option(20, minimum=1)

  def initial_state(self, addresses: int) -> State:
    """Zeros; there is no memory, so `addresses` changes nothing."""
    del addresses
    return State(jnp.zeros(self.units, jnp.float32))

  def features(self, state: State) -> chex.Array:
    """h_t [H]."""
    return state.hidden

  @nn.compact
  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, base.Step]:
    """One time step on the input x_t [X]."""
    # r, z = sigma(W [x_t, h_{t-1}]);  n = tanh(W_in x_t + r o (W_hn h_{t-1}))
    # h_t = (1 - z) o n + z o h_{t-1}
    hidden_t, _ = nn.GRUCell(self.units, name='gru')(state_tm1.hidden, x_t)
    return State(hidden_t), base.Step(self.answer(hidden_t), read=None, write=None)
