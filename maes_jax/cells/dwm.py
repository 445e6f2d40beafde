"""The Differentiable Working Memory: one head without content addressing, and a bookmark.

Source: Jayram, Bouhadjar, McAvoy, Kornuta, Asseman, Rocki and Ozcan, Learning to Remember, Forget
and Ignore using Attention Control in Memory, arXiv:1809.11087, 2018. What the paper leaves open is
as in its authors' code (IBM/mi-prometheus).
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
  attention: chex.Array  # w_t [N], sums to 1
  bookmark: chex.Array  # b_t [N], sums to 1


class Interface(NamedTuple):
  """P_t: what the controller asks of the memory."""
  add: chex.Array  # a_t [W]
  erase: chex.Array  # e_t [W] in (0, 1)
  jump: chex.Array  # j_t [3], sums to 1: stays, goes to the bookmark, goes to address 0
  keep: chex.Array  # d_t [] in (0, 1), how much the bookmark stays where it is
  move: heads.Shift  # s_t and gamma_t


def interface(raw: chex.Array, width: int) -> Interface:
  """Splits the interface layer's output [2 W + 3 + 1 + (2k + 1) + 1] into P_t."""
  add, erase, jump, keep, move = jnp.split(raw, [width, 2 * width, 2 * width + 3, 2 * width + 4])
  return Interface(add=add, erase=jax.nn.sigmoid(erase), jump=jax.nn.softmax(jump),
                   keep=jax.nn.sigmoid(keep[0]), move=heads.softplus_shift(move))


def attend(
    params: Interface,
    attention_tm1: chex.Array,  # [N]
    bookmark_tm1: chex.Array,  # [N]
) -> tuple[chex.Array, chex.Array]:
  """Where the head and the bookmark are next: w_t and b_t [N]."""
  # b_t = (1 - d_t) w_{t-1} + d_t b_{t-1}
  bookmark_t = (1 - params.keep) * attention_tm1 + params.keep * bookmark_tm1
  # w~_t = j_0 w_{t-1} + j_1 b_t + j_2 e_0
  first = jax.nn.one_hot(0, attention_tm1.size, dtype=attention_tm1.dtype)
  jumped = params.jump @ jnp.stack([attention_tm1, bookmark_t, first])
  # w_t = sharpen(conv(w~_t, s_t), gamma_t)
  return heads.move(params.move, jumped), bookmark_t


class Dwm(base.Cell):
  """One step of Differentiable Working Memory.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    width: W, word width.
    units: H, sigmoid units of the controller.
    shift_range: k, how many addresses attention may move by a shift, each way.
    initial_memory: the constant in every cell of M_0.
  """
  width: int = option(10, minimum=1)
  units: int = option(5, minimum=1)
  shift_range: int = option(1, minimum=0, maximum=MANY)
  initial_memory: float = option(0.01)

  def initial_state(self, addresses: int) -> State:
    """Constant memory, head and bookmark on address 0, h_0 = 0."""
    first = jax.nn.one_hot(0, addresses, dtype=jnp.float32)
    return State(
        hidden=jnp.zeros(self.units, jnp.float32),
        memory=jnp.full((self.width, addresses), self.initial_memory, jnp.float32),
        attention=first, bookmark=first)

  def features(self, state: State) -> chex.Array:
    """The word that the next step reads [W]."""
    return memory.read(state.memory, state.attention)

  @nn.compact
  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, base.Step]:
    """One time step on the input x_t [X]."""
    hidden_tm1, memory_tm1, attention_tm1, bookmark_tm1 = state_tm1
    # r_t = M_{t-1} w_{t-1};  h_t = sigma(W_h z_t);  y_t = W_y z_t;  P_t = W_P z_t
    z_t = jnp.concatenate([x_t, hidden_tm1, memory.read(memory_tm1, attention_tm1)])
    hidden_t = nn.sigmoid(nn.Dense(self.units, name='hidden')(z_t))
    raw_t = nn.Dense(2 * self.width + 2 * self.shift_range + 6, name='interface')(z_t)
    params_t = interface(raw_t, self.width)
    # M_t = M_{t-1} o (1 - e_t w_{t-1}^T) + a_t w_{t-1}^T
    memory_t = memory.erase_and_add(memory_tm1, attention_tm1, params_t.erase, params_t.add)
    attention_t, bookmark_t = attend(params_t, attention_tm1, bookmark_tm1)
    step = base.Step(self.answer(z_t), read=attention_tm1[None], write=attention_tm1[None])
    return State(hidden_t, memory_t, attention_t, bookmark_t), step
