"""`unroll` at a cost that does not depend on the memory size, exact or not at all.

Where attention moves by short shifts alone and is sharp, all its weight lies on a few addresses.
The same cell then runs on a window of the memory round the head: the memory size is an argument
of a cell's call, so a window is just a small memory. Every step proves that no weight was left
out: as soon as the window's margin carries any, the attention, and with it every later output,
becomes NaN, and the caller takes the plain way.
"""

from collections.abc import Mapping
from typing import NamedTuple

import chex
from jax import lax
import jax.numpy as jnp

from maes_jax.cells import base

SIZE = 16  # Addresses in the window, S.
MARGIN = 4  # Addresses at each end that must carry no weight at all.


class Window(NamedTuple):
  """A cell's state seen through a window that follows the head."""
  state: base.State  # its memory [W, S] and attention [S] are those of the window
  line: chex.Array  # [W, 3 N] the ring of addresses cut open and laid out three times
  start: chex.Array  # [] the window's first address on the line
  lowest: chex.Array  # [] the smallest start so far
  highest: chex.Array  # [] the largest


def serves(cell: base.Cell, addresses: int) -> bool:
  """Whether a window can follow this cell's head through a memory of that size."""
  return cell.reach is not None and cell.reach <= MARGIN and addresses >= 2 * SIZE


def unroll(
    cell: base.Cell,
    params: Mapping,
    state: base.State,
    inputs: chex.Array,  # [T, X]
    valid: chex.Array | None,  # [T]
    num_steps: chex.Array | None = None,  # []
) -> tuple[base.State, base.Step]:
  """Like `encoder_solver.unroll`, without attention in the steps; NaN where it is not exact.

  It does every step, whatever `num_steps` is: in a test hardly any are left out.
  """
  del num_steps

  def step(window, scanned):
    x_t, valid_t = scanned
    state_t, shown = cell.apply({'params': params}, window.state, x_t)
    return _follow(window, base.where(valid_t, state_t, window.state)), shown.output

  window, output = lax.scan(step, _open(state), (inputs, valid))
  return _close(window), base.Step(output, read=None, write=None)


def _open(state) -> Window:
  """Puts a window round the head."""
  size = state.attention.size
  start = size + state.attention.argmax() - SIZE // 2
  line = jnp.tile(state.memory, 3)
  attention = state.attention[_addresses(start, size)]
  lossless = jnp.sum(attention != 0) == jnp.sum(state.attention != 0)
  state = state._replace(memory=_look(line, start), attention=_or_nan(lossless, attention))
  return Window(state, line, start, lowest=start, highest=start)


def _follow(window, state) -> Window:
  """Writes the window's memory back and moves the window after the head."""
  moved = jnp.clip(state.attention.argmax() - SIZE // 2, -MARGIN, MARGIN)
  start = window.start + moved
  lowest, highest = jnp.minimum(window.lowest, start), jnp.maximum(window.highest, start)
  line = lax.dynamic_update_slice(window.line, state.memory, (0, window.start))
  attention = jnp.roll(state.attention, -moved)
  # The next shift cannot wrap around inside the window, and the line is still a cut-open ring.
  lossless = ~attention[:MARGIN].any() & ~attention[-MARGIN:].any()
  once_round = highest - lowest + SIZE <= line.shape[1] // 3
  state = state._replace(
      memory=_look(line, start), attention=_or_nan(lossless & once_round, attention))
  return Window(state, line, start, lowest, highest)


def _close(window) -> base.State:
  """Closes the line to a ring again: every address as the window left it."""
  size = window.line.shape[1] // 3
  visited = lax.dynamic_slice_in_dim(window.line, window.lowest, size, axis=1)
  attention = window.state.attention
  memory = _or_nan(~jnp.isnan(attention).any(), jnp.roll(visited, window.lowest, axis=1))
  whole = jnp.zeros(size).at[_addresses(window.start, size)].set(attention)
  return window.state._replace(memory=memory, attention=whole)


def _look(line, start):
  return lax.dynamic_slice_in_dim(line, start, SIZE, axis=1)


def _addresses(start, size):
  return (start + jnp.arange(SIZE)) % size


def _or_nan(condition, values):
  return jnp.where(condition, values, jnp.nan)
