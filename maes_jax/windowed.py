"""`unroll` at a cost that does not depend on the memory size, exact or not at all.

Where attention moves by short shifts alone and is sharp, all its weight lies on a few addresses,
the fewer the sharper. The same cell then runs on a window of the memory round the head: the memory
size is an argument of a cell's call, so a window is just a small memory. Every step proves that no
weight was left out, and says so in a flag of its own: once the window's margin carried any, no
later step is exact, and the caller takes a wider one or the plain way. The flag is no NaN among
the numbers, as compilers may be told that there are none.
"""

from collections.abc import Mapping
import functools
from typing import NamedTuple

import chex
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import encoder_solver
from maes_jax import phases
from maes_jax import precision
from maes_jax.cells import base
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params

SIZES = 16, 32  # Addresses in a window, S: it is tried with the fewest first.
MARGIN = 4  # Addresses at each end that must carry no weight at all.
# Steps of a phase, in the mean, with which a window saves more than it takes to open and close it.
WORTH = 4


class Window(NamedTuple):
  """A cell's state seen through a window that follows the head."""
  state: base.State  # its memory [W, S] and attention [S] are those of the window
  line: chex.Array  # [W, 3 N] the ring of addresses cut open and laid out three times
  start: chex.Array  # [] the window's first address on the line
  lowest: chex.Array  # [] the smallest start so far
  highest: chex.Array  # [] the largest
  exact: chex.Array  # [] whether no weight was left out so far


class Step(NamedTuple):
  """What a step through a window shows."""
  output: chex.Array | None  # [Y] logits; None for an encoder
  exact: chex.Array  # [] whether it and all before it left no weight out


def serves(cell: base.Cell, addresses: int, size: int = SIZES[0]) -> bool:
  """Whether a window of `size` addresses can follow this cell's head through a memory of so many.
  """
  return cell.reach is not None and cell.reach <= MARGIN and addresses >= 2 * size


def pays(program: phases.Program) -> bool:
  """Whether phases are long enough that it is faster to look through a window."""
  return phases.size(program) >= WORTH * phases.count(program)


def answer_batch(
    model: Model,
    params: Params,
    task: str,
    episodes: phases.Episode,  # leaves [B, ...]
    addresses: int,  # N
    size: int = SIZES[0],  # S
) -> tuple[chex.Array, chex.Array]:
  """Logits [B, A, Y], and [B] whether all those that count are what the whole memory gives.

  Cells that no window can follow go through all of the memory, which the others close before.
  """
  follow = functools.partial(_unroll_any, addresses, size)

  def answer(episode):
    parts = model.run(params, task, episode.program, addresses, follow)
    outputs, exact = (phases.shown(parts, name) for name in ('output', 'exact'))
    asked = phases.answers(episode.program, exact, trailing=0)
    # Of the last phase what counts will do; what goes before must be exact to its end.
    *before, last = (leaf[..., -1:].all(-1).ravel() for leaf in jax.tree.leaves(exact))
    right = jnp.all(asked | ~episode.mask) & jnp.concatenate([*before, last[:-1]]).all()
    return phases.answers(episode.program, outputs, trailing=1), right

  return jax.vmap(answer)(episodes)


def _unroll_any(addresses, size, cell, params, state, inputs, steps):
  """`unroll`; through all of the memory, which is exact, where no window serves."""
  if serves(cell, addresses, size):
    state, shown = unroll(cell, params, state, inputs, steps, size)
    # Without steps it is as if the phase were not there.
    return state, shown._replace(exact=shown.exact | (steps == 0))
  state, shown = encoder_solver.skipping(cell, params, state, inputs, steps)
  return state, Step(shown.output, jnp.ones(len(inputs), bool))


def unroll(
    cell: base.Cell,
    params: Mapping,
    state: base.State,
    inputs: chex.Array,  # [T, X]
    steps: chex.Array,  # []
    size: int = SIZES[0],  # S
) -> tuple[base.State, Step]:
  """Like `encoder_solver.unroll`, but steps show whether they are exact instead of attention.

  Where the last step is not, the last state means nothing.
  """
  params, state, inputs = precision.given(params, state, inputs)
  valid = phases.within(steps, len(inputs))

  def step(window, scanned):
    x_t, valid_t = scanned
    state_t, shown = cell.apply({'params': params}, window.state, x_t)
    window = _follow(window, base.where(valid_t, state_t, window.state))
    return window, Step(shown.output, window.exact)

  window, steps = lax.scan(step, _open(state, size), (inputs, valid))
  return _close(window), steps


def _open(state, size) -> Window:
  """Puts a window of so many addresses round the head."""
  addresses = state.attention.size
  start = addresses + state.attention.argmax() - size // 2
  line = jnp.tile(state.memory, 3)
  attention = state.attention[_seen(start, size, addresses)]
  lossless = jnp.sum(attention != 0) == jnp.sum(state.attention != 0)
  state = state._replace(memory=_look(line, start, size), attention=attention)
  return Window(state, line, start, lowest=start, highest=start,
                exact=lossless & _clear_of_margins(attention))


def _follow(window, state) -> Window:
  """Writes the window's memory back and moves the window after the head."""
  size = state.attention.size
  moved = jnp.clip(state.attention.argmax() - size // 2, -MARGIN, MARGIN)
  start = window.start + moved
  lowest, highest = jnp.minimum(window.lowest, start), jnp.maximum(window.highest, start)
  line = lax.dynamic_update_slice(window.line, state.memory, (0, window.start))
  attention = jnp.roll(state.attention, -moved)
  # The line is still a cut-open ring.
  once_round = highest - lowest + size <= line.shape[1] // 3
  state = state._replace(memory=_look(line, start, size), attention=attention)
  return Window(state, line, start, lowest, highest,
                window.exact & once_round & _clear_of_margins(attention))


def _clear_of_margins(attention):
  """Whether the next shift cannot wrap around inside the window."""
  return ~(attention[:MARGIN].any() | attention[-MARGIN:].any())


def _close(window) -> base.State:
  """Closes the line to a ring again: every address as the window left it."""
  addresses = window.line.shape[1] // 3
  visited = _look(window.line, window.lowest, addresses)
  memory = jnp.roll(visited, window.lowest, axis=1)
  attention = window.state.attention
  seen = _seen(window.start, attention.size, addresses)
  whole = jnp.zeros(addresses, attention.dtype).at[seen].set(attention)
  return window.state._replace(memory=memory, attention=whole)


def _look(line, start, size):
  return lax.dynamic_slice_in_dim(line, start, size, axis=1)


def _seen(start, size, addresses):
  """The addresses of the ring [S] that a window shows."""
  return (start + jnp.arange(size)) % addresses

