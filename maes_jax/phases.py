"""An episode is a program of phases: stretches of steps with one cell on duty in each.

Serial Recall is two of them: an encoder reads the items, a solver answers. Which cell is on duty
and where it starts are fixed when a program is compiled; all else is data.
"""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import functools
import math
import operator
from typing import Any, NamedTuple

import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from maes_jax import varying

# On duty: the cell that stores, the task's own solver, or another solver by its task's name. A task
# may have more cells of its own; their names begin with a slash, e.g. '/second'.
ENCODER, SOLVER, OWN = 'encoder', 'solver', '/'

# Where a cell starts when it goes on duty. The memory is what the last cell left in any case.
RESUME = 'resume'  # Where it was when it was on duty last, with the hidden state that it had then.
RESTART = 'restart'  # As at the beginning: at its first attention, e.g. address 0.
HANDOVER = 'handover'  # Where the last cell looked, with a hidden state as at the beginning.
STARTS = (RESUME, RESTART, HANDOVER)


@functools.partial(jax.tree_util.register_dataclass,
                   data_fields=['inputs', 'steps', 'targets', 'mask'],
                   meta_fields=['cell', 'start', 'shared', 'again'])
@dataclasses.dataclass(frozen=True)
class Phase:
  """T steps with one cell on duty.

  Attributes:
    inputs: [T, X] markers and items.
    steps: [] how many of the T are done, the others are padding; 0: as if the phase were not there.
      In an `Episode` of a task no fewer than 0 and no more than T, where JAX traces them, too.
    targets: [T, Y]; None where no answer is asked for.
    mask: [T] True where an answer counts, never in padding.
    cell: which is on duty: `ENCODER`, `SOLVER`, another task's name, or a further cell of the task,
      whose name begins with a slash: '/second' of the task 'mine' is known as 'mine/second'.
    start: where it starts, one of `STARTS`.
    shared: the same key makes the same phase in all tasks, so that tasks asked at once need it
      once; only for phases that no phase precedes that is not, and for no task's own cells.
    again: it shows a cell what another has read already; a model of one cell, which has seen it,
      goes on without. Never asked.
  """
  inputs: chex.Array
  steps: chex.Array
  targets: chex.Array | None = None
  mask: chex.Array | None = None
  cell: str = ENCODER
  start: str = RESUME
  shared: bool = False
  again: bool = False

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
  ring: chex.Array | None = None  # [] how many addresses are there, the first ones; None: all

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


def of(part: Phase | Repeat | tuple) -> tuple[Any, ...]:
  """The phases of a part of a program, or what `formed` holds of each."""
  if isinstance(part, Repeat):
    return part.phases
  return part if isinstance(part, tuple) else (part,)


def formed(part: Phase | Repeat, values: tuple) -> tuple | Repeat:
  """Values, one for each phase of a part, in the part's form."""
  return Repeat(values) if isinstance(part, Repeat) else values


def present(rounds: Phase, where: chex.Array) -> Phase:
  """A phase of a `Repeat` [R, ...] without the rounds where `where` [R] is False: all zeros there.
  """
  there = lambda leaf: jax.vmap(lambda keep, one: one * keep)(where, leaf)
  return jax.tree.map(there, rounds)


def counting(program: Program) -> tuple[Phase | Repeat, ...]:
  """The program with steps of 0 to T, and masks that are False in padding, whatever they were.

  Steps out of these bounds would be others to cells that take turns than to one that reads all.
  """
  def of_phase(phase):
    phase = dataclasses.replace(phase, steps=jnp.clip(phase.steps, 0, phase.inputs.shape[-2]))
    return phase if not phase.asked else dataclasses.replace(phase, mask=phase.mask & phase.valid)
  return jax.tree.map(of_phase, tuple(program), is_leaf=lambda node: isinstance(node, Phase))


def within(steps: chex.Array, size: int) -> chex.Array:
  """[size] True for the first `steps`."""
  return jnp.arange(size, dtype=jnp.int32) < steps


def cleared(inputs: chex.Array, steps: chex.Array) -> chex.Array:
  """Items [T, X] with zeros for padding: what stands there may be NaN, whose derivative spoils all.
  """
  return jnp.where(within(steps, len(inputs))[:, None], inputs, 0)


def cells(task: str, program: Program) -> dict[str, bool]:
  """The cells of a task's program as `name` has them, and whether each is asked."""
  found: dict[str, bool] = {}
  for part in program:
    for phase in of(part):
      found[name(task, phase)] = found.get(name(task, phase), False) or phase.asked
  return found


def name(task: str, phase: Phase) -> str:
  """Which cell is on duty: `ENCODER`, a solver by its task, or a task's further cell.

  >>> name('mine', Phase(None, 1, cell=SOLVER)), name('mine', Phase(None, 1, cell='/second'))
  ('mine', 'mine/second')
  """
  if phase.cell == SOLVER:
    return task
  return task + phase.cell if phase.cell.startswith(OWN) else phase.cell


def owner(cell: str) -> str:
  """The task that a cell, as `name` has it, belongs to."""
  return cell.partition(OWN)[0]


def in_time(parts: Sequence[Any]) -> Iterator[Any]:
  """What parts hold of each phase, in the order of time, those of a repeat round by round.

  Args:
    parts: phases and repeats of a program, or what has its form, known to the host.
  """
  for part in parts:
    if isinstance(part, Repeat):
      for i in range(len(jax.tree.leaves(part)[0])):
        yield from jax.tree.map(operator.itemgetter(i), part.phases)
    else:
      yield from of(part)


def size(program: Program, cell: str = '') -> int:
  """Steps of all phases, or of those of one cell, padding included."""
  return sum(math.prod(phase.inputs.shape[:-1]) for part in program for phase in of(part)
             if cell in ('', phase.cell))


def count(program: Program) -> int:
  """How many phases there are, those of a repeat once for each of its rounds."""
  return sum(math.prod(phase.inputs.shape[:-2]) for part in program for phase in of(part))


def each(part: Phase | Repeat, function: Callable[[Phase], Any]) -> tuple | Repeat:
  """A function of the phases of a part, in the part's form."""
  return formed(part, tuple(function(phase) for phase in of(part)))


def shown(parts: Sequence[tuple | Repeat], name: str) -> list[tuple | Repeat]:
  """What steps, by part of a program, show under a name, e.g. `output`."""
  return jax.tree.map(operator.attrgetter(name), parts, is_leaf=lambda node: hasattr(node, name))


def answers(program: Program, parts: Sequence[tuple | Repeat], trailing: int) -> chex.Array:
  """What the parts hold for the phases in which answers are asked for; see `joined`."""
  kept = []
  for part, values in zip(program, parts):
    kept.append(formed(part, tuple(
        value for phase, value in zip(of(part), of(values)) if phase.asked)))
  return joined(kept, trailing)


def joined(parts: Sequence[tuple | Repeat], trailing: int) -> chex.Array:
  """Arrays [..., T, *] of phases as one [..., A, *], in the order of time.

  Args:
    parts: by part of a program the arrays of its phases, those of a `Repeat` [..., R, T, *].
    trailing: how many axes come after T.
  """
  pieces = []
  for part in parts:
    if arrays := of(part):
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
    if not all(isinstance(part, Phase) and part.shared and owner(part.cell) not in ('', SOLVER)
               for part in parts):
      break
    count += 1
  return count


def same_opening(programs: Sequence[Program]) -> bool:
  """Whether what all of them begin with is the same, as far as it is known and not traced."""
  first, *others = (jax.tree.leaves(list(program[:opening(programs)])) for program in programs)
  known = lambda *leaves: not any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
  return all(np.array_equal(*pair) for other in others for pair in zip(first, other)
             if known(*pair))


class Stream(NamedTuple):
  """A program as one sequence without gaps."""
  inputs: chex.Array  # [S, X]
  steps: chex.Array  # []
  starts: list[tuple | Repeat]  # By part, where in it each phase begins.


def told(program: Program, control_bits: int) -> Program:
  """A program whose items have a control bit more: on in a phase that is asked, after its marker.

  Cells that take turns know by being on duty whether to store or to answer; to one cell that is on
  duty throughout it is said in this way by the code of Kornuta et al. (IBM/mi-prometheus).

  Args:
    program: what is told.
    control_bits: how many its items have now; the new bit comes behind them.
  """

  def of_phase(phase):
    control, data = jnp.split(jnp.asarray(phase.inputs), [control_bits], axis=-1)
    answering = ~jnp.any(control != 0, axis=-1, keepdims=True) & phase.asked
    return dataclasses.replace(phase, inputs=jnp.concatenate(
        [control, answering.astype(data.dtype), data], axis=-1))

  return [Repeat(tuple(map(of_phase, part.phases))) if isinstance(part, Repeat) else
          of_phase(part) for part in program]


def stream(program: Program) -> Stream:
  """The steps of all phases one after the other; what comes after them is padding."""
  inputs = [phase.inputs for part in program for phase in of(part)]
  nothing = jnp.zeros((size(program), inputs[0].shape[-1]), jnp.result_type(*inputs))
  carry = varying.like((nothing, jnp.int32(0)), program)
  starts: list[tuple | Repeat] = []
  for part in program:
    carry, found = (lax.scan(_append, carry, part.phases) if isinstance(part, Repeat) else
                    _append(carry, (part,)))
    starts.append(formed(part, found))
  filled, steps = carry
  return Stream(filled, steps, starts)


def _append(carry, of_part):
  """Writes phases behind those that are there, over their padding."""
  inputs, end = carry
  starts = []
  for phase in of_part:
    if phase.again:
      starts.append(end)
      continue
    piece = jnp.asarray(phase.inputs, inputs.dtype)
    inputs = lax.dynamic_update_slice_in_dim(inputs, piece, end, axis=0)
    starts.append(end)
    end = end + jnp.asarray(phase.steps, jnp.int32)
  return (inputs, end), tuple(starts)


def cut(program: Program, starts: Sequence[tuple | Repeat], steps: Any) -> list[tuple | Repeat]:
  """Steps of a stream, leaves [S, *], in the form of the program, padding included."""
  def of_part(part, begin):
    each_round = jax.vmap if isinstance(part, Repeat) else lambda piece: piece
    return formed(part, tuple(
        each_round(functools.partial(_piece, phase, steps))(start)
        for phase, start in zip(of(part), of(begin))))
  return [of_part(part, begin) for part, begin in zip(program, starts)]


def _piece(phase, steps, start):
  """The steps of a phase that begins there."""
  size = phase.inputs.shape[-2]
  return jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, start, size), steps)
