"""What every recurrent cell is: a Flax module that holds parameters and computes one time step.

A cell works on one sequence; batch and population axes are `vmap`s further out. Its memory size
`addresses` (N) is an argument of the call that makes a state, never a parameter's shape.
"""

from typing import Any, NamedTuple

import chex
from flax import linen as nn

State = Any  # A NamedTuple of arrays, one per cell file.


class Step(NamedTuple):
  """What a step shows to the outside; the attention costs nothing where nobody looks at it."""
  output: chex.Array | None  # [Y] logits; None for an encoder
  read: chex.Array | None  # [R, N] attention of each read head; None without a memory
  write: chex.Array | None  # [heads, N] attention of each write head; None without a memory
  memory: chex.Array | None = None  # [W, N] left by the step; only `Model.trace` fills it in


class Cell(nn.Module):
  """One recurrent cell; `outputs` is the number of output bits Y, 0 for an encoder."""
  outputs: int = 0

  @property
  def reach(self) -> int | None:
    """How many addresses attention moves in a step at most; None if it can go anywhere."""
    return None

  @property
  def recomputes(self) -> bool:
    """Whether the backward pass computes a step again: cheaper than storing all its parts."""
    return True

  def initial_state(self, addresses: int) -> State:
    """The state before the first step, with a memory of `addresses` words."""
    raise NotImplementedError

  def take_over(self, encoded: State) -> State:
    """The handover: a solver's first state, made from an encoder's last one. Identity if tied."""
    return encoded

  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, Step]:
    """One time step on the input x_t [X]."""
    raise NotImplementedError
