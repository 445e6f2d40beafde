"""The Differentiable Neural Computer (Graves et al. 2016), a baseline of the paper (section 5.4).

Source: Graves et al., Hybrid computing using a neural network with dynamic external memory, Nature
538, 2016; the names in brackets are the headings of its methods section.
"""

import functools
from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import addressing
from maes_jax import memory
from maes_jax import precision
from maes_jax.cells import base
from maes_jax.cells import lstm
from maes_jax.options import MANY
from maes_jax.options import option

# Allocation multiplies usages as a sum of logarithms; a usage below this counts as this, and has no
# gradient. It is 0 to the precision of any weight.
LEAST_USAGE = 1e-30


class State(NamedTuple):
  """What the cell carries from one step to the next."""
  hidden: chex.Array  # h_t [H]
  cell: chex.Array  # s_t [H]
  memory: chex.Array  # M_t [W, N]
  usage: chex.Array  # u_t [N] in [0, 1]
  precedence: chex.Array  # p_t [N], sums to at most 1
  links: chex.Array  # L_t [N, N], L_t[i, j]: how much i was written right after j
  write: chex.Array  # w^w_t [N], sums to at most 1
  attention: chex.Array  # w^r_t [R, N], each sums to at most 1
  read: chex.Array  # r_t [R, W]


class Interface(NamedTuple):
  """xi_t: what the controller asks of the memory [Interface parameters]."""
  read_keys: chex.Array  # k^r_t [R, W]
  read_strengths: chex.Array  # beta^r_t [R] >= 1
  write_key: chex.Array  # k^w_t [W]
  write_strength: chex.Array  # beta^w_t [] >= 1
  erase: chex.Array  # e_t [W] in (0, 1)
  add: chex.Array  # v_t [W]
  free_gates: chex.Array  # f_t [R] in (0, 1)
  allocation_gate: chex.Array  # g^a_t [] in (0, 1)
  write_gate: chex.Array  # g^w_t [] in (0, 1)
  read_modes: chex.Array  # pi_t [R, 3] backward, content, forward; each row sums to 1


def interface(raw: chex.Array, width: int, reads: int) -> Interface:
  """Splits the interface layer's output [W R + 3 W + 5 R + 3] [Interface parameters]."""
  sizes = [reads * width, reads, width, 1, width, width, reads, 1, 1, 3 * reads]
  ends = [sum(sizes[:i + 1]) for i in range(len(sizes) - 1)]
  parts = Interface(*jnp.split(raw, ends))
  return Interface(
      read_keys=parts.read_keys.reshape(reads, width),
      read_strengths=oneplus(parts.read_strengths),
      write_key=parts.write_key,
      write_strength=oneplus(parts.write_strength[0]),
      erase=jax.nn.sigmoid(parts.erase),
      add=parts.add,
      free_gates=jax.nn.sigmoid(parts.free_gates),
      allocation_gate=jax.nn.sigmoid(parts.allocation_gate[0]),
      write_gate=jax.nn.sigmoid(parts.write_gate[0]),
      read_modes=jax.nn.softmax(parts.read_modes.reshape(reads, 3)))


def oneplus(x: chex.Array) -> chex.Array:
  """1 + log(1 + e^x) >= 1 [Interface parameters]."""
  return 1 + jax.nn.softplus(x)


def next_usage(
    usage_tm1: chex.Array,  # [N]
    write_tm1: chex.Array,  # [N]
    attention_tm1: chex.Array,  # [R, N]
    free_gates: chex.Array,  # [R]
) -> chex.Array:
  """Usage u_t [N]: what was written is used until a read head frees it [Dynamic allocation]."""
  # psi_t = prod_i (1 - f^i_t w^{r,i}_{t-1})
  retention = 1.
  for free_gate, attention in zip(free_gates, attention_tm1):
    retention = retention * (1 - free_gate * attention)
  # u_t = (u_{t-1} + w^w_{t-1} - u_{t-1} o w^w_{t-1}) o psi_t
  return (usage_tm1 + write_tm1 - usage_tm1 * write_tm1) * retention


def allocation(usage: chex.Array) -> chex.Array:
  """Attention a_t [N] on the least used addresses, the first of equals [Dynamic allocation].

  The paper sorts the usage by phi_t and multiplies along the order. The same product runs over all
  addresses that come before in that order, which needs no sorting, gathering or scattering.
  """
  index = jnp.arange(usage.size)
  less, equal = usage[None] < usage[:, None], usage[None] == usage[:, None]
  before = less | (equal & (index[None] < index[:, None]))  # [j, i]: i comes before j
  # a_t[phi_t[j]] = (1 - u_t[phi_t[j]]) prod_{i < j} u_t[phi_t[i]]
  logs = jnp.log(jnp.maximum(precision.at_least_single(usage), LEAST_USAGE))
  return (1 - usage) * jnp.exp(before.astype(logs.dtype) @ logs).astype(usage.dtype)


def next_links(
    links_tm1: chex.Array,  # [N, N]
    precedence_tm1: chex.Array,  # [N]
    write_t: chex.Array,  # [N]
) -> chex.Array:
  """Links L_t [N, N]: in which order addresses were written [Temporal memory linkage]."""
  # L_t[i, j] = (1 - w^w_t[i] - w^w_t[j]) L_{t-1}[i, j] + w^w_t[i] p_{t-1}[j];  L_t[i, i] = 0
  kept = (1 - write_t[:, None] - write_t[None]) * links_tm1
  others = 1 - jnp.eye(write_t.size, dtype=write_t.dtype)
  return (kept + jnp.outer(write_t, precedence_tm1)) * others


def read_attention(
    memory_t: chex.Array,  # [W, N]
    links_t: chex.Array,  # [N, N]
    attention_tm1: chex.Array,  # [N]
    key: chex.Array,  # [W]
    strength: chex.Array,  # []
    modes: chex.Array,  # [3]
) -> chex.Array:
  """Attention w^r_t [N] of one read head [Read weighting]."""
  # b_t = L_t^T w^r_{t-1};  c_t = C(M_t, k^r_t, beta^r_t);  f_t = L_t w^r_{t-1}
  backward = attention_tm1 @ links_t
  content = addressing.content_weights(memory_t, key, strength)
  forward = links_t @ attention_tm1
  # w^r_t = pi_t[1] b_t + pi_t[2] c_t + pi_t[3] f_t
  return modes[0] * backward + modes[1] * content + modes[2] * forward


class Dnc(base.Cell):
  """One step of a Differentiable Neural Computer with an LSTM controller of one layer.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    width: W, word width.
    units: H, units of the LSTM controller.
    read_heads: R; one head writes.
  """
  width: int = option(10, minimum=1)
  units: int = option(20, minimum=1)
  read_heads: int = option(1, minimum=1, maximum=MANY)

  def initial_state(self, addresses: int) -> State:
    """All zeros: an empty memory, nothing used, nothing read.

    Raises:
      ValueError: the memory has no width, or fewer addresses than read heads.
    """
    addressing.check_sizes(addresses, width=self.width, read_heads=self.read_heads)
    zeros = functools.partial(jnp.zeros, dtype=jnp.float32)
    return State(
        hidden=zeros(self.units),
        cell=zeros(self.units),
        memory=zeros((self.width, addresses)),
        usage=zeros(addresses),
        precedence=zeros(addresses),
        links=zeros((addresses, addresses)),
        write=zeros(addresses),
        attention=zeros((self.read_heads, addresses)),
        read=zeros((self.read_heads, self.width)))

  def features(self, state: State) -> chex.Array:
    """What was read [R W]."""
    return state.read.ravel()

  @nn.compact
  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, base.Step]:
    """One time step on the input x_t [X]."""
    # chi_t = [x_t; r^1_{t-1}; ...; r^R_{t-1}];  h_t, s_t = LSTM([chi_t; h_{t-1}], s_{t-1})
    z_t = jnp.concatenate([x_t, state_tm1.hidden, state_tm1.read.ravel()])
    raw_t = nn.Dense(4 * self.units, name='controller')(z_t)
    hidden_t, cell_t = lstm.update(raw_t, state_tm1.cell)
    # xi_t = W_xi h_t
    size = (self.width + 5) * self.read_heads + 3 * self.width + 3
    raw_t = nn.Dense(size, name='interface')(hidden_t)
    params_t = interface(raw_t, self.width, self.read_heads)
    state_t = access(params_t, state_tm1._replace(hidden=hidden_t, cell=cell_t))
    # y_t = W_y h_t + W_r [r^1_t; ...; r^R_t]
    output_t = self.answer(jnp.concatenate([hidden_t, state_t.read.ravel()]))
    return state_t, base.Step(output_t, read=state_t.attention, write=state_t.write[None])


def access(params: Interface, state_tm1: State) -> State:
  """Writes, links and reads; the controller's part of the state is left as it is."""
  usage_t = next_usage(state_tm1.usage, state_tm1.write, state_tm1.attention, params.free_gates)
  # w^w_t = g^w_t (g^a_t a_t + (1 - g^a_t) c^w_t)
  content_t = addressing.content_weights(
      state_tm1.memory, params.write_key, params.write_strength)
  write_t = params.write_gate * addressing.interpolate(
      allocation(usage_t), content_t, params.allocation_gate)
  # M_t = M_{t-1} o (E - w^w_t e_t^T) + w^w_t v_t^T
  memory_t = memory.erase_and_add(state_tm1.memory, write_t, params.erase, params.add)
  links_t = next_links(state_tm1.links, state_tm1.precedence, write_t)
  # p_t = (1 - sum_i w^w_t[i]) p_{t-1} + w^w_t
  precedence_t = (1 - jnp.sum(write_t)) * state_tm1.precedence + write_t
  attention_t = jax.vmap(read_attention, (None, None, 0, 0, 0, 0))(
      memory_t, links_t, state_tm1.attention,
      params.read_keys, params.read_strengths, params.read_modes)
  # r^i_t = M_t^T w^{r,i}_t
  read_t = jax.vmap(memory.read, (None, 0))(memory_t, attention_t)
  return state_tm1._replace(
      memory=memory_t, usage=usage_t, precedence=precedence_t, links=links_t,
      write=write_t, attention=attention_t, read=read_t)
