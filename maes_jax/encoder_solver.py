"""The model: encode -> hand over -> solve. Each phase is one cell unrolled over one sequence.

MAES has an encoder and solvers with parameters of their own. LSTM, NTM and DNC are the tied case:
one cell, so a solver adds only its output layer to the encoder's parameters, and the handover is
the identity. Everything here is for one sequence; `vmap` adds batch and population outside.
"""

from collections.abc import Callable, Mapping
import dataclasses
import functools

import chex
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import precision
from maes_jax import shapes
from maes_jax import tasks
from maes_jax.cells import base

Params = dict  # {'encoder': ..., 'solvers': {task: ...}}
# How a cell runs over a sequence: `unroll` below, or `windowed.unroll` for long tests.
Unroll = Callable[..., tuple[base.State, base.Step]]


def unroll(
    cell: base.Cell,
    params: Mapping,
    state: base.State,
    inputs: chex.Array,  # [T, X]
    valid: chex.Array | None,  # [T]
    show: base.Show = base.as_it_is,
    num_steps: chex.Array | None = None,  # []
) -> tuple[base.State, base.Step]:
  """Runs a cell over a sequence in its own way; see `Cell.unroll`."""
  return cell.unroll(params, state, inputs, valid, show, num_steps)


@dataclasses.dataclass(frozen=True)
class Model:
  """One encoder and a solver per task.

  Attributes:
    encoder: the cell that reads the main sequence.
    solvers: by task, the cell that reads the auxiliary sequence and answers.
    tied: the solvers share the encoder's parameters.
  """
  encoder: base.Cell
  solvers: Mapping[str, base.Cell]
  tied: bool = False

  def __hash__(self) -> int:
    return hash((self.encoder, frozenset(self.solvers.items()), self.tied))

  def init(self, key: chex.PRNGKey, inputs: int) -> Params:
    """Fresh parameters for input items of `inputs` (X) bits; none depends on the memory size."""
    names = sorted(self.solvers)
    encoder_key, *solver_keys = jax.random.split(key, 1 + len(names))
    encoder = _init_cell(self.encoder, encoder_key, inputs)
    solvers = {}
    for name, solver_key in zip(names, solver_keys):
      solver = _init_cell(self.solvers[name], solver_key, inputs)
      shared = encoder if self.tied else {}
      solvers[name] = {layer: leaf for layer, leaf in solver.items() if layer not in shared}
    return {'encoder': encoder, 'solvers': solvers}

  def encode(
      self,
      params: Params,
      main: chex.Array,  # [T, X]
      valid: chex.Array | None,  # [T] False where the sequence is padding; None: nowhere
      addresses: int,  # N
      unroll: Unroll = unroll,
  ) -> tuple[base.State, base.Step]:
    """Reads the main sequence into a fresh memory; returns the last state and every step."""
    shapes.check(main=(main, 'TX', float), valid=(valid, 'T', bool))
    return unroll(self.encoder, params['encoder'], self._start(params, addresses), main, valid)

  def solve(
      self,
      params: Params,
      task: str,
      encoded: base.State,
      aux: chex.Array,  # [T, X]
      valid: chex.Array | None,  # [T]
      unroll: Unroll = unroll,
  ) -> tuple[base.State, base.Step]:
    """Answers from an encoder's last state; `Step.output` holds the logits [T, Y]."""
    shapes.check(aux=(aux, 'TX', float), valid=(valid, 'T', bool))
    state = self.solvers[task].take_over(encoded)
    return self._solve(params, task, precision.as_params(state, params), aux, valid, unroll)

  def _start(self, params, addresses):
    return precision.as_params(self.encoder.initial_state(addresses), params)

  def _solve(self, params, task, state, inputs, valid, unroll):
    solver_params = params['solvers'][task]
    if self.tied:
      solver_params = {**params['encoder'], **solver_params}
    return unroll(self.solvers[task], solver_params, state, inputs, valid)

  def answer(
      self,
      params: Params,
      episodes: Mapping[str, tasks.Episode],  # by task; they share one main sequence
      addresses: int,  # N
      unroll: Unroll = unroll,
      num_steps: chex.Array | None = None,  # []
      padded: bool = True,
  ) -> dict[str, chex.Array]:
    """Encodes once, then solves every task; logits [T, Y] by task.

    See `answer_batch` for the last two.
    """
    if self.tied and len(episodes) == 1:
      return self._answer_at_once(params, episodes, addresses, unroll, num_steps, padded)
    unroll = functools.partial(unroll, num_steps=num_steps)
    shared = next(iter(episodes.values()))
    valid = shared.valid if padded else None
    encoded, _ = self.encode(params, shared.main, valid, addresses, unroll)
    logits = {}
    for name, episode in episodes.items():
      _, answers = self.solve(params, name, encoded, episode.aux, valid, unroll)
      logits[name] = answers.output
    return logits

  def _answer_at_once(self, params, episodes, addresses, unroll, num_steps, padded):
    """A tied model goes on where it stopped: the sequences of one task are a single one to it.

    One scan instead of two halves what is compiled, and adds up its gradients only once.
    """
    (task, episode), = episodes.items()
    start, size = 1 + episode.length, len(episode.main)
    whole = jnp.concatenate([episode.main, jnp.zeros_like(episode.aux)])
    whole = lax.dynamic_update_slice_in_dim(whole, episode.aux, start, axis=0)
    unroll = functools.partial(unroll, num_steps=None if num_steps is None else 2 * num_steps)
    state = self._start(params, addresses)
    valid = jnp.arange(2 * size, dtype=jnp.int32) < 2 * start if padded else None
    _, answers = self._solve(params, task, state, whole, valid, unroll)
    return {task: lax.dynamic_slice_in_dim(answers.output, start, size)}

  def answer_batch(
      self,
      params: Params,
      episodes: Mapping[str, tasks.Episode],  # by task, leaves [B, ...]
      addresses: int,
      unroll: Unroll = unroll,
      num_steps: chex.Array | None = None,  # []
      padded: bool = True,
  ) -> dict[str, chex.Array]:
    """`answer` for a batch: logits [B, T, Y] by task. The one place where the batch axis comes.

    Args:
      params: as `init` makes them; all is computed in their dtype.
      episodes: the batch.
      addresses: N.
      unroll: how a cell runs over a sequence.
      num_steps: `longest` of the lengths; later steps then take no time, and what they answer means
        nothing. It is for training and tests: what is computed with it can be differentiated in
        reverse mode alone, and once (`cells.scan`). None: all T, differentiable in every way.
      padded: False where no sequence ends before these steps.
    """
    answer = lambda batch: self.answer(params, batch, addresses, unroll, num_steps, padded)
    # XLA:CPU computes products of large layers on one core if they have no axis but their own.
    return jax.vmap(answer)(jax.tree.map(jnp.asarray, episodes))

  def trace(self, params: Params, task: str, episode: tasks.Episode, addresses: int):
    """The encoder's last state, every step of encoding and every step of solving.

    Unlike elsewhere, each step shows the memory it left.
    """
    looking = functools.partial(unroll, show=_with_memory)
    encoded, writing = self.encode(params, episode.main, episode.valid, addresses, looking)
    _, reading = self.solve(params, task, encoded, episode.aux, episode.valid, looking)
    return encoded, writing, reading


def longest(lengths: chex.Array, axis=None) -> chex.Array:
  """Steps that the longest of sequences of such lengths takes, with its marker."""
  return 1 + lengths.max(axis)


def _with_memory(state_t: base.State, step: base.Step) -> base.Step:
  return step._replace(memory=getattr(state_t, 'memory', None))


def _init_cell(cell: base.Cell, key: chex.PRNGKey, inputs: int) -> Mapping:
  # Any memory size does that is wide enough for every head and shift kernel.
  state = cell.initial_state(addresses=max(64, 2 * (cell.reach or 0) + 1))
  return cell.init(key, state, jnp.zeros(inputs, jnp.float32))['params']
