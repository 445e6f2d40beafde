"""The model: cells that take turns on one memory, as a program of phases says.

MAES has an encoder and solvers with parameters of their own; a cell that goes on duty takes over
the memory (`Cell.take_over`). All models but `maes` and `maes2018` are the tied case: one cell is
on duty throughout, a solver adds only its output layer, and a program is one sequence to it.
Everything here is for one sequence; `vmap` adds batch and population outside.
"""

from collections.abc import Callable, Mapping
import dataclasses
import functools
from typing import Any, NamedTuple

import chex
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from maes_jax import errors
from maes_jax import limits
from maes_jax import phases
from maes_jax import precision
from maes_jax import varying
from maes_jax.cells import base
from maes_jax.phases import Program
from maes_jax.phases import Repeat

Params = dict  # {'encoder': ..., 'solvers': {task: ...}}, and 'embed' where items need one
# How a cell runs over a phase: `unroll` below, or `windowed.unroll` for long tests.
Unroll = Callable[..., tuple[base.State, base.Step]]


unroll = base.Cell.unroll  # All steps.
# For training and tests: steps beyond the longest sequence of a batch take no time. What it
# computes can be differentiated in reverse mode alone, and once.
skipping = functools.partial(unroll, skip_padding=True)
alone = functools.partial(unroll, alone=True)  # The same, for one sequence at a time.


class Embed(nn.Module):
  """An item as cells read it: its control bits, then what an embedding makes of the rest."""
  embedding: nn.Module
  control_bits: int

  def __call__(self, item: chex.Array) -> chex.Array:
    """[..., X] -> [..., control bits + features]."""
    control, data = jnp.split(item, [self.control_bits], axis=-1)
    return jnp.concatenate([control, self.embedding(data)], axis=-1)


class Duty(NamedTuple):
  """How things stand between two phases."""
  handed: Any  # What the cell that was on duty left to the next, the memory above all.
  own: Mapping[str, Any]  # By cell, what it keeps while others are on duty.


@dataclasses.dataclass(frozen=True)
class Model:
  """One encoder and a solver per task.

  Attributes:
    encoder: the cell that stores.
    solvers: by task, the cell that answers, and by 'task/cell' what else a task has of its own.
    tied: the solvers share the encoder's parameters.
    inputs: X, numbers of an item with its control bits.
    embed: what makes of them what the cells read; None: nothing.
    control_bits: how many of them are control bits.
    sequences: how many sequences a task may keep apart by control bits of their own. Cells that
      take turns know theirs by being on duty, and read the bits of all as those of one.
    phase_bit: the last control bit of a tied model says whether an answer is due; see
      `phases.told`. It is one of `control_bits`.
  """
  encoder: base.Cell
  solvers: Mapping[str, base.Cell]
  tied: bool = False
  inputs: int = 10
  embed: Embed | None = None
  control_bits: int = 2
  sequences: int = 1
  phase_bit: bool = False

  def __hash__(self) -> int:
    return hash((self.encoder, frozenset(self.solvers.items()), self.tied, self.inputs, self.embed,
                 self.control_bits, self.sequences, self.phase_bit))

  def init(self, key: chex.PRNGKey) -> Params:
    """Fresh parameters; none depends on the memory size."""
    names = sorted(self.solvers)
    encoder_key, *solver_keys = jax.random.split(key, 1 + len(names))
    embed, x = self._init_embed(jax.random.fold_in(key, 0))
    encoder = _init_cell(self.encoder, encoder_key, x)
    solvers = {}
    for name, solver_key in zip(names, solver_keys):
      solver = _init_cell(self.solvers[name], solver_key, x)
      shared = encoder if self.tied else {}
      solvers[name] = {layer: leaf for layer, leaf in solver.items() if layer not in shared}
    return {'encoder': encoder, 'solvers': solvers, **embed}

  def _init_embed(self, key):
    """Parameters under the key `embed`, and an item [X] as cells read it."""
    item = jnp.zeros(self.inputs, jnp.float32)
    if self.embed is None:
      return {}, item
    item, made = self.embed.init_with_output(key, item)
    return {'embed': made.get('params', {})}, item

  def read(self, params: Params, inputs: chex.Array) -> chex.Array:
    """Items [..., X] as the cells read them."""
    inputs = self._as_of_one_sequence(inputs)
    if self.embed is None:
      return inputs
    return self.embed.apply({'params': _part(params, 'embed')}, precision.as_params(inputs, params))

  def _as_of_one_sequence(self, inputs):
    """Control bits of several sequences added up, kind by kind."""
    more = inputs.shape[-1] - self.inputs
    if more not in range(self.control_bits, self.sequences * self.control_bits, self.control_bits):
      return inputs
    control, data = jnp.split(inputs, [self.control_bits + more], axis=-1)
    by_sequence = control.reshape(*control.shape[:-1], -1, self.control_bits)
    return jnp.concatenate([by_sequence.sum(-2), data], axis=-1)

  @property
  def tasks(self) -> list[str]:
    """What it has solvers for."""
    return sorted({phases.owner(name) for name in self.solvers})

  def cell(self, name: str) -> base.Cell:
    """The encoder, or the solver of a task.

    Raises:
      UserError: there is no such solver.
    """
    if name == phases.ENCODER:
      return self.encoder
    if name not in self.solvers:
      raise errors.UserError(f'this model has no solver for task {name!r}; it has one for '
                             f'{", ".join(sorted(self.solvers))}')
    return self.solvers[name]

  def addresses_for(self, steps: int) -> int:
    """The fewest addresses with which one cell remembers all of a program of so many steps."""
    return self.encoder.addresses_for(steps) if self.tied else 1

  def asking(self, solver: str, task: str) -> 'Model':
    """The model in which the solver of one task is asked another; see `asked`.

    Raises:
      UserError: there is no such solver.
    """
    self.cell(solver)
    return dataclasses.replace(self, solvers=_renamed(self.solvers, solver, task))

  def answer(
      self,
      params: Params,
      episodes: Mapping[str, phases.Episode],  # by task
      addresses: int,  # N
      unroll: Unroll = unroll,
  ) -> dict[str, chex.Array]:
    """Logits [A, Y] by task, aligned with `Episode.targets`; what tasks share is stored once.

    Args:
      params: as `init` makes them; all is computed in their dtype.
      episodes: one by task, of one key and length, so that what tasks store is the same.
      addresses: N.
      unroll: how a cell runs over a phase; `skipping` for training and tests.

    Raises:
      UserError: N is no number of addresses, the parameters lack what a cell needs, episodes store
        other items, cells take turns in a ring of addresses, which only one cell can, or a batch.
    """
    limits.check(addresses=addresses)
    _check_single(episodes)
    self._check(episodes)
    run = _Run(self, params, addresses, unroll)
    programs = {task: episode.program for task, episode in episodes.items()}
    steps = {}
    if self.tied:
      for task, episode in episodes.items():
        steps[task] = run.run_tied(task, episode.program, episode.ring)
    else:  # What all programs begin with is run once.
      count = phases.opening(list(programs.values()))
      duty, stored = run.take_turns('', run.begin(), next(iter(programs.values()))[:count])
      for task, program in programs.items():
        steps[task] = stored + run.take_turns(task, duty, program[count:])[1]
    return {task: phases.answers(program, phases.shown(steps[task], 'output'), trailing=1)
            for task, program in programs.items()}

  def answer_batch(
      self,
      params: Params,
      episodes: Mapping[str, phases.Episode],  # by task, leaves [B, ...]
      addresses: int,
      unroll: Unroll = unroll,
  ) -> dict[str, chex.Array]:
    """`answer` for a batch: logits [B, A, Y] by task. The one place where the batch axis comes."""
    self._check(episodes)
    answer = lambda batch: self.answer(params, batch, addresses, unroll)
    # XLA:CPU computes products of large layers on one core if they have no axis but their own.
    return jax.vmap(answer)(jax.tree.map(jnp.asarray, episodes))

  def _check(self, episodes):
    """Whether cells that take turns can share what the episodes begin with, as far as is known."""
    if self.tied:
      return
    ringed = [task for task, episode in episodes.items() if episode.ring is not None]
    if ringed:
      raise errors.UserError(f'the episode of task {ringed[0]!r} has a ring of addresses, and '
                             'cells that take turns have all of them; leave ring out')
    if not phases.same_opening([episode.program for episode in episodes.values()]):
      raise errors.UserError(f'episodes of {", ".join(map(repr, episodes))} begin with other '
                             'items, and what they begin with is stored once; draw them from one '
                             'key and of one length, or answer them one by one')

  def run(
      self, params: Params, task: str, program: Program, addresses: int, unroll: Unroll = unroll,
  ) -> list[tuple | Repeat]:
    """Every step of every phase of one task's program, in the program's form."""
    run = _Run(self, params, addresses, unroll)
    if self.tied:
      return run.run_tied(task, program)
    _, steps = run.take_turns(task, run.begin(), program)
    return steps

  def trace(self, params: Params, task: str, program: Program, addresses: int):
    """`run`, where each step also shows the memory it left."""
    return self.run(params, task, program, addresses,
                    functools.partial(unroll, collect=_with_memory))


def _check_single(episodes):
  for task, episode in episodes.items():
    if np.ndim(episode.mask) != 1:
      raise errors.UserError(f'the episode of task {task!r} has a mask of shape '
                             f'{np.shape(episode.mask)} where [A] is one; use answer_batch for a '
                             'batch of them')


def asked(params: Params, solver: str, task: str) -> Params:
  """The parameters of a model in which the solver of one task is asked another."""
  return {**params, 'solvers': _renamed(params['solvers'], solver, task)}


def _renamed(solvers, solver, task):
  """The cells of one task as those of another."""
  return {task + name.removeprefix(solver): cell for name, cell in solvers.items()
          if phases.owner(name) == solver}


@dataclasses.dataclass(frozen=True)
class _Run:
  """A model with parameters, a memory and a way to run over a phase."""
  model: Model
  params: Params
  addresses: int
  unroll: Unroll

  def run_tied(self, task, program, ring=None):
    """The steps by part where one cell is on duty throughout."""
    stream = phases.stream(phases.told(program, self.model.control_bits - 1)
                           if self.model.phase_bit else program)
    _, steps = self.unroll(
        self.model.cell(task), self.params_of(task), self.initial_state(task, ring),
        self._read(stream.inputs, stream.steps), stream.steps)
    return phases.cut(program, stream.starts, steps)

  def begin(self):
    """How things stand before the first phase: the memory is the encoder's."""
    handed, _ = self.model.encoder.hand_over(self.initial_state(phases.ENCODER))
    return Duty(handed, {})

  def take_turns(self, task, duty, program):
    """Phase by phase a cell takes over, runs, and leaves the memory to the next.

    Returns:
      How things stand at the end, and the steps by part.
    """
    kept = {name: self.model.cell(name).hand_over(self.initial_state(name))[1]
            for name in phases.cells(task, program)}
    duty, parts = duty._replace(own={**kept, **duty.own}), []
    for part in program:
      if isinstance(part, Repeat):
        duty, steps = self._rounds(task, duty, part)
        parts.append(steps)
        continue
      name = phases.name(task, part)
      cell = self.model.cell(name)
      state = cell.take_over(duty.handed, duty.own[name], part.start)
      state, steps = self.unroll(
          cell, self.params_of(name), precision.as_params(state, self.params),
          self._read(part.inputs, part.steps), part.steps)
      handed, own = cell.hand_over(state)
      duty = base.where(part.steps > 0, Duty(handed, {**duty.own, name: own}), duty)
      parts.append((steps,))
    return duty, parts

  def _rounds(self, task, duty, repeat):
    """`take_turns` round by round, whose gradients are added up as those of steps are."""
    params, rounded = precision.summed(self.params)
    def turn(duty, part):
      return dataclasses.replace(self, params=rounded(params)).take_turns(task, duty, part)
    duty, rounds = lax.scan(turn, varying.like(duty, (self.params, repeat)), repeat.phases)
    return duty, Repeat(tuple(steps for steps, in rounds))

  def _read(self, inputs, steps):
    return self.model.read(self.params, phases.cleared(inputs, steps))

  def initial_state(self, name, ring=None):
    cell = self.model.cell(name)
    state = cell.initial_state(self.addresses)
    return precision.as_params(state if ring is None else cell.in_ring(state, ring), self.params)

  def params_of(self, name):
    encoder = _part(self.params, 'encoder')
    if name == phases.ENCODER:
      return encoder
    own = _part(_part(self.params, 'solvers'), name)
    return {**encoder, **own} if self.model.tied else own


def check_params(params: Any):
  """Raises UserError where parameters are none, e.g. what holds them."""
  errors.of_type('the parameters are', params, Mapping,
                 'those that Model.init makes, or maes_jax.load has as params')


def _part(params, name):
  check_params(params)
  if name not in params:
    raise errors.UserError(f'the parameters have {", ".join(sorted(params)) or "nothing"} and no '
                           f'{name!r}; give those that Model.init makes, or maes_jax.load')
  return params[name]


def _with_memory(state_t: base.State, step: base.Step) -> base.Step:
  return step._replace(memory=getattr(state_t, 'memory', None))


def _init_cell(cell: base.Cell, key: chex.PRNGKey, item: chex.Array) -> Mapping:
  # Any memory size does that is wide enough for every head and shift kernel.
  of = lambda name: getattr(cell, name, None) or 0
  farthest = max(of('reach'), of('shift_range'))
  state = cell.initial_state(max(64, 2 * farthest + 1, of('read_heads'), of('write_heads')))
  return cell.init(key, state, item).get('params', {})
