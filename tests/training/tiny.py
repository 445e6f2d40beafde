"""A cell that compiles in a second."""

from typing import NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax.cells import base


class State(NamedTuple):
  hidden: jax.Array  # [3]


class Tiny(base.Cell):
  """The least that a cell must be; also the proof that training asks no more of one."""

  def initial_state(self, addresses):
    del addresses
    return State(jnp.zeros(3))

  @nn.compact
  def __call__(self, state_tm1, x_t):
    hidden_t = jnp.tanh(nn.Dense(3, name='hidden')(jnp.concatenate([x_t, state_tm1.hidden])))
    output_t = nn.Dense(self.outputs, name='output')(hidden_t) if self.outputs else None
    return State(hidden_t), base.Step(output_t, read=None, write=None)
