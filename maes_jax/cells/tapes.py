"""Recurrent networks with a stack or a tape that moves under a head which stays on address 0.

Source: Joulin and Mikolov, Inferring algorithmic patterns with stack-augmented recurrent nets,
2015; Deletang et al., Neural networks and the Chomsky hierarchy, 2023, whose forms these are: words
instead of single numbers, a ReLU network that sees the word under the head, the new word linear.
"""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import addressing
from maes_jax import varying
from maes_jax.cells import base
from maes_jax.options import option


ACTIONS = 3  # Of a stack: push, pop, nothing. Of a tape: stay, left, right.


class State(NamedTuple):
  """What the cell carries from one step to the next."""
  hidden: chex.Array  # h_t [H]
  memory: chex.Array  # M_t [W, N], address 0 under the head


class _Cell(base.Cell):
  """What both have in common; `after` says what an action does.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    width: W, word width.
    units: H, ReLU units of the controller.
  """
  width: int = option(10, minimum=1)
  units: int = option(30, minimum=1)

  def initial_state(self, addresses: int) -> State:
    """All zeros: nothing is written.

    Raises:
      ValueError: the memory has no width or no address.
    """
    addressing.check_sizes(addresses, width=self.width, heads=1)
    return State(jnp.zeros(self.units, jnp.float32),
                 jnp.zeros((self.width, addresses), jnp.float32))

  def features(self, state: State) -> chex.Array:
    """The word under the head [W]."""
    return state.memory[:, 0]

  @nn.compact
  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, base.Step]:
    """One time step on the input x_t [X]."""
    hidden_tm1, memory_tm1 = state_tm1
    # h_t = relu(U x_t + R h_{t-1} + P M_{t-1}[0])
    z_t = jnp.concatenate([x_t, hidden_tm1, memory_tm1[:, 0]])
    hidden_t = nn.relu(nn.Dense(self.units, name='hidden')(z_t))
    # a_t = softmax(A h_t);  v_t = D h_t
    raw_t = nn.Dense(ACTIONS + self.width, name='interface')(hidden_t)
    actions_t = jax.nn.softmax(raw_t[:ACTIONS])
    # M_t = sum_i a_t[i] M^i_t: what each action leaves, as much as it is taken
    left = jnp.stack(self.after(memory_tm1, raw_t[ACTIONS:]))
    memory_t = jnp.tensordot(actions_t, left, axes=1)
    head = jax.nn.one_hot(0, memory_tm1.shape[1], dtype=memory_tm1.dtype)[None]
    head = varying.like(head, memory_t)
    step = base.Step(self.answer(hidden_t), read=head, write=self.written(actions_t) * head)
    return State(hidden_t, memory_t), step

  def after(self, memory_tm1: chex.Array, word: chex.Array) -> tuple[chex.Array, ...]:
    """The memory [W, N] that each action leaves, given the new word [W]."""
    raise NotImplementedError

  def written(self, actions: chex.Array) -> chex.Array:
    """How much of the new word [] the actions [A] write."""
    raise NotImplementedError


class StackRnn(_Cell):
  """One step of a Stack-RNN: pushes the new word, pops one, or leaves the stack as it is."""

  def after(self, memory_tm1, word):
    # push: v_t, M[0], M[1], ...;  pop: M[1], M[2], ..., 0;  nothing: M
    pushed = jnp.concatenate([word[:, None], memory_tm1[:, :-1]], axis=1)
    popped = jnp.concatenate([memory_tm1[:, 1:], jnp.zeros_like(word)[:, None]], axis=1)
    return pushed, popped, memory_tm1

  def written(self, actions):
    return actions[0]


class TapeRnn(_Cell):
  """One step of a Tape-RNN: writes the new word, then stays, or moves one address left or right.

  Deletang et al. also have jumps by the length of the input; they give that away and are left out.
  """

  def after(self, memory_tm1, word):
    # M~[0] = v_t;  stay: M~;  left: M~[1], M~[2], ..., M~[0];  right: M~[N - 1], M~[0], M~[1], ...
    written = jnp.concatenate([word[:, None], memory_tm1[:, 1:]], axis=1)
    return written, jnp.roll(written, -1, axis=1), jnp.roll(written, 1, axis=1)

  def written(self, actions):
    return jnp.ones((), actions.dtype)
