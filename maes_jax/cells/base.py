"""What every recurrent cell is: a Flax module that holds parameters and computes one time step.

A cell works on one sequence; batch and population axes are `vmap`s further out. Its memory size
`addresses` (N) is an argument of the call that makes a state, never a parameter's shape.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import precision
from maes_jax.cells import scan

State = Any  # A NamedTuple of arrays, one per cell file.


class Step(NamedTuple):
  """What a step shows to the outside; the attention costs nothing where nobody looks at it."""
  output: chex.Array | None  # [Y] logits; None for an encoder
  read: chex.Array | None  # [R, N] attention of each read head; None without a memory
  write: chex.Array | None  # [heads, N] attention of each write head; None without a memory
  memory: chex.Array | None = None  # [W, N] left by the step; only `Model.trace` fills it in


# What to keep of a step: of the state that it left and what it shows.
Show = Callable[[State, Step], Step]


def as_it_is(state_t: State, step: Step) -> Step:
  """Shows of a step what it shows by itself."""
  del state_t
  return step


def where(valid_t: chex.Array | None, new: State, old: State) -> State:
  """The new state; in padding the old one."""
  if valid_t is None:
    return new
  return jax.tree.map(lambda *leaves: jnp.where(valid_t, *leaves), new, old)


class Cell(nn.Module):
  """One recurrent cell; `outputs` is the number of output bits Y, 0 for an encoder."""
  outputs: int = 0

  @property
  def reach(self) -> int | None:
    """How many addresses attention moves in a step at most; None if it can go anywhere."""
    return None

  def initial_state(self, addresses: int) -> State:
    """The state before the first step, with a memory of `addresses` words."""
    raise NotImplementedError

  def take_over(self, encoded: State) -> State:
    """The handover: a solver's first state, made from an encoder's last one. Identity if tied."""
    return encoded

  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, Step]:
    """One time step on the input x_t [X]."""
    raise NotImplementedError

  def unroll(
      self,
      params: Mapping,
      state: State,
      inputs: chex.Array,  # [T, X]
      valid: chex.Array | None,  # [T]
      show: Show = as_it_is,
      num_steps: chex.Array | None = None,  # []
  ) -> tuple[State, Step]:
    """Runs the cell over a sequence; padding leaves the state as it was.

    Args:
      params: the cell's parameters; all is computed in their dtype (see `precision`).
      state: the state before the first step.
      inputs: the items of the sequence.
      valid: False where the sequence is padding; what a step answers there means nothing. None:
        no step that has to be done is.
      show: what to keep of a step.
      num_steps: how many have to be done, which is one number for the whole batch; no later one is
        valid, and what is shown of those means nothing. That saves time, but can be differentiated
        in reverse mode alone, and once. None: all.

    Returns:
      The last state, and of every step what `show` makes of the state it left and its `Step`.
    """
    params, valid = jax.tree.map(jnp.asarray, (params, valid))
    state, inputs = precision.as_params((state, inputs), params)
    return self._unroll(params, state, inputs, valid, show, num_steps)

  def _unroll(self, params, state, inputs, valid, show, num_steps):

    def step(params, state_tm1, scanned):
      x_t, valid_t = scanned
      state_t, shown = self.apply({'params': params}, state_tm1, x_t)
      state_t = where(valid_t, state_t, state_tm1)
      return state_t, show(state_t, shown)

    return scan.scan(step, params, state, (inputs, valid), num_steps)
