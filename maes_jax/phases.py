"""An episode is a program of phases: stretches of steps with one cell on duty in each.

Serial Recall is two of them: an encoder reads the items, a solver answers. Which cell is on duty
and where it starts are fixed when a program is compiled; all else is data.
"""

from collections.abc import Callable, Sequence
import dataclasses
import functools
import math
from typing import Any, NamedTuple

import chex
import jax
from jax import lax
import jax.numpy as jnp

# On duty: the cell that stores, the task's own solver, or another solver by its task's name.
ENCODER, SOLVER = 'encoder', 'solver'

# Where a cell starts when it goes on duty. The memory is what the last cell left in any case.
RESUME = 'resume'  # Where it was when it was on duty last, with the hidden state that it had then.
RESTART = 'restart'  # As at the beginning: at its first attention, e.g. address 0.
HANDOVER = 'handover'  # Where the last cell looked, with a hidden state as at the beginning.
STARTS = (RESUME, RESTART, HANDOVER)


@functools.partial(jax.tree_util.register_dataclass,
                   data_fields=['inputs', 'steps', 'targets', 'mask'],
                   meta_fields=['cell', 'start', 'shared'])
@dataclasses.dataclass(frozen=True)
class Phase:
  """T steps with one cell on duty.

  Attributes:
    inputs: [T, X] markers and items.
    steps: [] how many of the T are done, the others are padding; 0: as if the phase were not there.
    targets: [T, Y]; None where no answer is asked for.
    mask: [T] True where an answer counts, never in padding.
    cell: which is on duty: `ENCODER`, `SOLVER` or another task's name.
    start: where it starts, one of `STARTS`.
    shared: the same key makes the same phase in all tasks, so that tasks asked at once need it
      once; only for phases that no phase precedes that is not, and for no task's own solver.
  """
  inputs: chex.Array
  steps: chex.Array
  targets: chex.Array | None = None
  mask: chex.Array | None = None
  cell: str = ENCODER
  start: str = RESUME
  shared: bool = False

  @property
  def asked(self) -> bool:
    """Whether any answer of it may count."""
    return self.mask is not None

  @property
  def valid(self) -> chex.Array:
    """[T] False in padding."""
    shape = self.inputs.shape[:-1]
    step = lax.broadcasted_iota(jnp.int32, shape, len(shape) - 1)
    return step < jnp.asarray(self.steps, jnp.int32)[..., None]


class Repeat(NamedTuple):
  """Phases one after the other, R times; those of no steps make it fewer."""
  phases: tuple[Phase, ...]  # leaves [R, ...]


Program = Sequence[Phase | Repeat]


class Episode(NamedTuple):
  """One example: its program, and n, which says how long it is."""
  program: tuple[Phase | Repeat, ...]
  length: chex.Array  # []

  @property
  def targets(self) -> chex.Array:
    """[A, Y] of all steps of the phases that are asked, in their order."""
    return self._asked(lambda phase: phase.targets, 1)

  @property
  def mask(self) -> chex.Array:
    """[A] True where an answer counts."""
    return self._asked(lambda phase: phase.mask, 0)

  def _asked(self, leaf, trailing):
    return answers(self.program, [each(part, leaf) for part in self.program], trailing)


def of(part: Phase | Repeat) -> tuple[Phase, ...]:
  """The phases of a part of a program."""
  return part.phases if isinstance(part, Repeat) else (part,)


def cells(task: str, program: Program) -> set[str]:
  """The cells of a task's program: `ENCODER`, and solvers by the names of their tasks."""
  return {name(task, phase) for part in program for phase in of(part)}


def name(task: str, phase: Phase) -> str:
  """Which cell is on duty: `ENCODER`, or a solver by the name of its task."""
  return task if phase.cell == SOLVER else phase.cell


def size(program: Program) -> int:
  """Steps of all phases, padding included."""
  return sum(math.prod(phase.inputs.shape[:-1]) for part in program for phase in of(part))


def each(part: Phase | Repeat, function: Callable[[Phase], Any]) -> tuple | Repeat:
  """A function of the phases of a part, in the part's form."""
  values = tuple(function(phase) for phase in of(part))
  return Repeat(values) if isinstance(part, Repeat) else values


def answers(program: Program, parts: Sequence[tuple | Repeat], trailing: int) -> chex.Array:
  """What the parts hold for the phases in which answers are asked for; see `joined`."""
  kept = []
  for part, values in zip(program, parts):
    of_phases: Any = values.phases if isinstance(values, Repeat) else values
    wanted = tuple(value for phase, value in zip(of(part), of_phases) if phase.asked)
    kept.append(Repeat(wanted) if isinstance(part, Repeat) else wanted)
  return joined(kept, trailing)


def joined(parts: Sequence[tuple | Repeat], trailing: int) -> chex.Array:
  """Arrays [..., T, *] of phases as one [..., A, *], in the order of time.

  Args:
    parts: by part of a program the arrays of its phases, those of a `Repeat` [..., R, T, *].
    trailing: how many axes come after T.
  """
  pieces = []
  for part in parts:
    arrays: Any = part.phases if isinstance(part, Repeat) else part
    if arrays:
      piece = jnp.concatenate(arrays, axis=-1 - trailing)
      pieces.append(_merged(piece, trailing) if isinstance(part, Repeat) else piece)
  return jnp.concatenate(pieces, axis=-1 - trailing)


def _merged(array, trailing):
  """[..., R, T, *] -> [..., R T, *]."""
  axis = array.ndim - 2 - trailing
  return array.reshape(*array.shape[:axis], -1, *array.shape[axis + 2:])


def opening(programs: Sequence[Program]) -> int:
  """How many parts all programs begin with that are the same in all of them."""
  count = 0
  for parts in zip(*programs):
    if not all(isinstance(part, Phase) and part.shared and part.cell != SOLVER for part in parts):
      break
    count += 1
  return count


class Stream(NamedTuple):
  """A program as one sequence without gaps."""
  inputs: chex.Array  # [S, X]
  steps: chex.Array  # []
  places: chex.Array  # [S] where in it the steps of all phases are, in their order


def stream(program: Program) -> Stream:
  """The steps of all phases one after the other, and all padding after them."""
  inputs = joined([each(part, lambda phase: phase.inputs) for part in program], 1)
  valid = joined([each(part, lambda phase: phase.valid) for part in program], 0)
  places = jnp.cumsum(valid, dtype=jnp.int32) - 1
  outside = len(inputs)
  compact = jnp.zeros_like(inputs).at[jnp.where(valid, places, outside)].set(inputs, mode='drop')
  return Stream(compact, valid.sum(dtype=jnp.int32), jnp.maximum(places, 0))


def cut(program: Program, steps: Any) -> list[tuple | Repeat]:
  """Steps of all phases, leaves [S, *], in the form of the program: `joined` undone."""
  parts, start = [], 0
  for part in program:
    sizes = [phase.inputs.shape[-2] for phase in of(part)]
    repeats = len(of(part)[0].inputs) if isinstance(part, Repeat) else 1
    end = start + repeats * sum(sizes)
    pieces = _pieces(jax.tree.map(lambda leaf: leaf[start:end], steps), repeats, sizes)  # noqa: B023
    parts.append(Repeat(pieces) if isinstance(part, Repeat) else
                 jax.tree.map(lambda leaf: leaf[0], pieces))
    start = end
  return parts


def _pieces(steps, repeats, sizes):
  """Leaves [R sum(T), *] as a tree with leaves [R, T, *] of each T in `sizes`."""
  ends = [sum(sizes[:i + 1]) for i in range(len(sizes) - 1)]
  dealt = jax.tree.map(lambda leaf: leaf.reshape(repeats, -1, *leaf.shape[1:]), steps)
  starts = [0, *ends]
  return tuple(jax.tree.map(lambda leaf: leaf[:, start:start + size], dealt)  # noqa: B023
               for start, size in zip(starts, sizes))
