"""MAES as its first author's own code has it: a head that writes and another that reads.

Source: T. S. Jayram, github.com/tsjayram/maes, 2018. The paper's Algorithm 1, in `maes`, has one
head for both, and what it asks of the memory depends on what was read, too.
"""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import memory
from maes_jax.cells import base
from maes_jax.cells import heads
from maes_jax.options import MANY
from maes_jax.options import option


class State(NamedTuple):
  """What the cell carries from one step to the next."""
  hidden: chex.Array  # h_t [H]
  memory: chex.Array  # M_t [W, N]
  attention: chex.Array  # w^r_t [N], of the head that reads
  write: chex.Array  # w^w_t [N], of the head that writes


class Maes2018(base.Cell):
  """One step of an encoder or a solver.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    width: W, word width.
    units: H, linear units.
    shift_range: k, how many addresses either head may move in one step, each way.
    output_hidden: units of a ReLU layer before the output; 0 for none.
    initial_value: what is in every cell of M_0 and of h_0.
  """
  width: int = option(10, minimum=1)
  units: int = option(3, minimum=1)
  shift_range: int = option(1, minimum=0, maximum=MANY)
  output_hidden: int = option(0, minimum=0)
  initial_value: float = option(0.01)

  def initial_state(self, addresses: int) -> State:
    """Memory and hidden state of a constant, both heads on address 0."""
    first = jax.nn.one_hot(0, addresses, dtype=jnp.float32)
    return State(
        hidden=jnp.full(self.units, self.initial_value, jnp.float32),
        memory=jnp.full((self.width, addresses), self.initial_value, jnp.float32),
        attention=first, write=first)

  def hand_over(self, state: State) -> tuple[tuple[chex.Array, chex.Array], State]:
    """The memory, and where it was written last: there the next cell's head may start to read."""
    return (state.memory, state.write), state._replace(memory=None)

  def features(self, state: State) -> chex.Array:
    """The word that was read [W]."""
    return memory.read(state.memory, state.attention)

  @nn.compact
  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, base.Step]:
    """One time step on the input x_t [X]."""
    hidden_tm1, memory_tm1, read_tm1, write_tm1 = state_tm1
    # e_t = sigma(W_e [x_t, h_{t-1}]);  a_t = W_a [x_t, h_{t-1}]
    raw_t = nn.Dense(2 * self.width, name='words')(jnp.concatenate([x_t, hidden_tm1]))
    erase_t, add_t = jnp.split(raw_t, 2)
    # M_t = M_{t-1} o (1 - e_t w^w_{t-1}^T) + a_t w^w_{t-1}^T: where the head was before it moves.
    memory_t = memory.erase_and_add(memory_tm1, write_tm1, nn.sigmoid(erase_t), add_t)
    # w_t = sharpen(conv(w_{t-1}, s_t), gamma_t), of both heads, s_t and gamma_t from h_{t-1} alone
    moves = nn.Dense(4 * self.shift_range + 4, name='moves')(hidden_tm1)
    read_t, write_t = (heads.move(heads.softplus_shift(raw), attention)
                       for raw, attention in zip(jnp.split(moves, 2), (read_tm1, write_tm1)))
    # r_t = M_t w^r_t: what was just written, where the head is after it moved.
    z_t = jnp.concatenate([x_t, hidden_tm1, memory.read(memory_t, read_t)])
    # h_t = W_h [x_t, h_{t-1}, r_t];  y_t = W_y [x_t, h_{t-1}, r_t]
    hidden_t = nn.Dense(self.units, name='hidden')(z_t)
    step = base.Step(self.answer(z_t, self.output_hidden), read_t[None], write_tm1[None])
    return State(hidden_t, memory_t, read_t, write_t), step
