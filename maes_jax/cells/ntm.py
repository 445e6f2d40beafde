"""The Neural Turing Machine (Graves et al. 2014), a baseline of the paper (section 5.4).

Equation numbers are those of Graves et al. 2014. All heads address M_{t-1}, the last memory there
is; the write heads then make M_t, and the read heads read from that.
"""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import addressing
from maes_jax import errors
from maes_jax import memory
from maes_jax import precision
from maes_jax.cells import base
from maes_jax.cells import heads
from maes_jax.options import MANY
from maes_jax.options import option


class State(NamedTuple):
  """What the cell carries from one step to the next."""
  hidden: chex.Array  # h_t [H]
  memory: chex.Array  # M_t [W, N]
  attention: chex.Array  # w_t [R + heads, N], the read heads first
  read: chex.Array  # r_t [R, W]


class InRing(NamedTuple):
  """The same of a memory of which only the first addresses are there, as a ring of their own."""
  hidden: chex.Array
  memory: chex.Array
  attention: chex.Array
  read: chex.Array
  ring: precision.Wide  # [] how many, as a float: loops differentiate all that they carry


def write(
    memory_tm1: chex.Array,  # [W, N]
    attention: chex.Array,  # [heads, N]
    erase: chex.Array,  # [heads, W] in (0, 1)
    add: chex.Array,  # [heads, W]
) -> chex.Array:
  """All heads erase, then all add; returns the new memory [W, N] (equations 3 and 4)."""
  memory_t = memory_tm1
  # M~_t = M_{t-1} prod_h (1 - e_h w_h^T)
  for attention_h, erase_h in zip(attention, erase):
    memory_t = memory_t * (1 - jnp.outer(erase_h, attention_h))
  # M_t = M~_t + sum_h a_h w_h^T
  return memory_t + add.T @ attention


# w_0 of every head, given N.
INITIAL_ATTENTION = {
    'address_0': lambda addresses: jax.nn.one_hot(0, addresses, dtype=jnp.float32),
    'uniform': lambda addresses: jnp.full(addresses, 1 / addresses, jnp.float32)}


class Ntm(base.Cell):
  """One step of a Neural Turing Machine with a simple recurrent controller.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    width: W, word width.
    units: H, sigmoid units of the controller.
    read_heads: R.
    write_heads: how many heads write.
    shift_range: k, how many addresses attention may move in one step, each way.
    initial_memory: the constant in every cell of M_0; Graves et al. name none.
    initial_attention: `address_0` (one-hot) or `uniform`, for w_0 of every head.
    gate_bias: first bias of every head's gate g_t, before its sigmoid; negative: moves by shifts.
    gamma_bias: first bias of every head's gamma_t, before its softplus.
    write_bias: first bias of the erase vectors, before their sigmoid; negative: erases little.
    walk_bias: first bias of the write heads' kernels for a step to the next address, before the
      softmax; positive: each item is written to an address of its own. Negative: back.
  """
  width: int = option(10, minimum=1)
  units: int = option(20, minimum=1)
  read_heads: int = option(1, minimum=1, maximum=MANY)
  write_heads: int = option(1, minimum=1, maximum=MANY)
  shift_range: int = option(1, minimum=0, maximum=MANY)
  initial_memory: float = option(1e-6, minimum=0.)
  initial_attention: str = option('address_0', choices=tuple(INITIAL_ATTENTION))
  gate_bias: float = option(0., initial=True)
  gamma_bias: float = option(0., initial=True)
  write_bias: float = option(0., initial=True)
  walk_bias: float = option(0., initial=True)

  def initial_state(self, addresses: int) -> State:
    """Constant memory and reads of it, every head at `initial_attention`, h_0 = 0.

    Raises:
      ValueError: the memory has no width or fewer addresses than heads, or the name of the
        initial attention is not one of `INITIAL_ATTENTION`.
    """
    addressing.check_sizes(
        addresses, width=self.width, read_heads=self.read_heads, write_heads=self.write_heads)
    attention = errors.pick('initial_attention', self.initial_attention, INITIAL_ATTENTION)
    return State(
        hidden=jnp.zeros(self.units, jnp.float32),
        memory=jnp.full((self.width, addresses), self.initial_memory, jnp.float32),
        attention=jnp.tile(attention(addresses), (self.read_heads + self.write_heads, 1)),
        read=jnp.full((self.read_heads, self.width), self.initial_memory, jnp.float32))

  def in_ring(self, state: State, ring: chex.Array) -> InRing:
    """The state where only the first `ring` addresses are there, a kernel's taps at least."""
    fitting = jnp.float32(jnp.maximum(ring, 2 * self.shift_range + 1))
    return InRing(*state, precision.Wide(fitting))

  def features(self, state: State) -> chex.Array:
    """What was read [R W]."""
    return state.read.ravel()

  @nn.compact
  def __call__(
      self, state_tm1: State | InRing, x_t: chex.Array) -> tuple[State | InRing, base.Step]:
    """One time step on the input x_t [X].

    Raises:
      ValueError: the memory has fewer addresses than the shift kernel has taps.
    """
    hidden_tm1, memory_tm1, attention_tm1, read_tm1 = state_tm1[:4]
    ring = jnp.int32(precision.wide(state_tm1.ring)) if isinstance(state_tm1, InRing) else None
    # The controller sees the input, its own last state and what was read last (figure 1).
    z_t = jnp.concatenate([x_t, hidden_tm1, read_tm1.ravel()])
    hidden_t = nn.sigmoid(nn.Dense(self.units, name='hidden')(z_t))
    heads_t, erase_t, add_t = self._interface(hidden_t)
    attention_t = jax.vmap(heads.address, (0, None, 0, None))(
        heads_t, memory_tm1, attention_tm1, ring)
    read_attention_t, write_attention_t = jnp.split(attention_t, [self.read_heads])
    memory_t = write(memory_tm1, write_attention_t, erase_t, add_t)
    # r_t = sum_i w_t(i) M_t(i)  (equation 2)
    read_t = jax.vmap(memory.read, (None, 0))(memory_t, read_attention_t)
    # The controller and what was just read make the answer.
    output_t = self.answer(jnp.concatenate([hidden_t, read_t.ravel()]))
    step = base.Step(output_t, read_attention_t, write_attention_t)
    return state_tm1._replace(
        hidden=hidden_t, memory=memory_t, attention=attention_t, read=read_t), step

  def _interface(self, hidden_t: chex.Array) -> tuple[heads.Content, chex.Array, chex.Array]:
    """One fused layer: every head's parameters, and e_t and a_t [heads, W] of those that write."""
    count, words = self.read_heads + self.write_heads, self.write_heads * self.width
    size = heads.HEADS['content'].size(self.width, self.shift_range)
    raw_t = nn.Dense(count * size + 2 * words, name='interface', bias_init=self._bias)(hidden_t)
    raw_heads, erase, add = jnp.split(raw_t, [count * size, count * size + words])
    heads_t = jax.vmap(heads.content, (0, None))(raw_heads.reshape(count, size), self.width)
    by_head = (self.write_heads, self.width)
    return heads_t, nn.sigmoid(erase).reshape(by_head), add.reshape(by_head)

  def _bias(self, unused_key, shape, dtype):
    """Biases of all heads' numbers, the read heads first, and of (e, a), to start from."""
    size = heads.HEADS['content'].size(self.width, self.shift_range)
    of_head = jnp.zeros((self.read_heads + self.write_heads, size), dtype)
    of_head = of_head.at[:, -1].set(self.gamma_bias).at[:, -2].set(self.gate_bias)
    of_kernels = slice(self.width, -3)  # Of the numbers [W + (2k + 1) + 3] of each head.
    of_head = of_head.at[self.read_heads:, of_kernels].set(
        heads.walk(self.walk_bias, self.shift_range))
    rest = jnp.zeros(shape[0] - of_head.size, dtype)
    erase = rest.at[:self.write_heads * self.width].set(self.write_bias)
    return jnp.concatenate([of_head.ravel(), erase])
