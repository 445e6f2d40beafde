"""The cells as Flax's own recurrent cells: for `nn.RNN`, `nn.Bidirectional` or a module of yours.

>>> from flax import linen as nn
>>> model = nn.RNN(NTM(addresses=16, units=8))
>>> words = jnp.ones((3, 12, 5))  # batch, time, features
>>> params = model.init(jax.random.key(0), words)
>>> model.apply(params, words, seq_lengths=jnp.array([12, 4, 7])).shape
(3, 12, 10)
"""

from typing import Any

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import limits
from maes_jax import precision
from maes_jax.cells import base
from maes_jax.cells import dnc
from maes_jax.cells import lstm
from maes_jax.cells import maes
from maes_jax.cells import ntm


class RNNCell(nn.RNNCellBase):
  """Any cell as `nn.LSTMCell` is one: over a batch of any number of axes, with arrays for answers.

  Its parameters are those of the cell, under the same names: one cell in several has them once, as
  any module of Flax that is used twice. An answer is the cell's output or,
  where it has none (`outputs=0`), its `features`: of cells with a memory what they read. A name is
  the cell's, as in `RNNCell(Ntm(8, name='reader'), 16)`. Nothing disturbs a step here (`noise`),
  and of a cell of one's own parameters alone are handed through, nothing that it sows or draws.

  Attributes:
    cell: what it is made of.
    addresses: N, the memory size, of each sequence.
  """
  cell: base.Cell
  addresses: int

  def __post_init__(self):
    super().__post_init__()
    if self.scope is not None:  # In `setup` it would be too late: loops copy modules before.
      nn.share_scope(self, self.cell)

  @property
  def num_feature_axes(self) -> int:
    return 1

  @nn.nowrap
  def initialize_carry(self, rng: chex.PRNGKey, input_shape: tuple[int, ...]) -> base.State:
    """The first state, leaves [*batch, ...], for inputs of the shape [*batch, X].

    In single precision, or in double where the parameters are.
    """
    del rng  # It is no random one.
    limits.check(addresses=self.addresses)
    params = self.variables.get('params', {}) if self.scope else {}
    state = precision.as_params(
        self.cell.initial_state(self.addresses), jax.tree.map(precision.at_least_single, params))
    return jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, (*input_shape[:-1], *leaf.shape)), state)

  def __call__(self, carry: base.State, inputs: chex.Array) -> tuple[base.State, chex.Array]:
    """One time step on the inputs [*batch, X]: the next state, and answers [*batch, Y].

    Computed in the dtype of the parameters, as are the answers; the state keeps its own, as loops
    end with what they began with.
    """
    step = _step
    for _ in inputs.shape[:-1]:
      step = nn.vmap(step, variable_axes={'params': None}, split_rngs={'params': False})
    state, answers = step(
        self.cell, *precision.as_params((carry, inputs), self.variables.get('params', {})))
    return jax.tree.map(lambda new, old: new.astype(old.dtype), state, carry), answers


def _step(cell, state_tm1, x_t):
  state_t, step = cell(state_tm1, x_t)
  return state_t, step.output if cell.outputs else cell.features(state_t)


# Under the names of the field; not classes, but used as `nn.LSTMCell` is.
def MAES(*, addresses: int, **options: Any) -> RNNCell:
  """`maes.Maes` as a Flax cell; its fields are the options."""
  return _made(maes.Maes, addresses, options)


def NTM(*, addresses: int, **options: Any) -> RNNCell:
  """`ntm.Ntm` as a Flax cell; its fields are the options."""
  return _made(ntm.Ntm, addresses, options)


def DNC(*, addresses: int, **options: Any) -> RNNCell:
  """`dnc.Dnc` as a Flax cell; its fields are the options."""
  return _made(dnc.Dnc, addresses, options)


def LSTM(**options: Any) -> RNNCell:
  """`lstm.Lstm` as a Flax cell; its fields are the options. It has no memory."""
  return _made(lstm.Lstm, 1, options)


def _made(cell, addresses, options):
  limits.check(addresses=addresses)
  return RNNCell(cell(**options), addresses)
