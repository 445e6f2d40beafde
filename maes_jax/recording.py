"""All that one model does on one sequence, step by step: what pages and pictures are made from."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import numpy as np

from maes_jax import errors
from maes_jax import limits
from maes_jax import models
from maes_jax import phases
from maes_jax import randomness
from maes_jax import room
from maes_jax import tasks
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params

# Numbers of memory over all steps: 1,000 items in 1,024 addresses of width 12. A page of twice as
# many would no longer fit a phone.
MOST = 25_000_000


class Recording(NamedTuple):
  """T time steps: phase after phase, padding left out.

  Where nothing is asked, `asked` is False, targets are 0 and answers mean nothing.
  """
  inputs: np.ndarray  # [T, X] markers and items
  targets: np.ndarray  # [T, Y]
  answers: np.ndarray  # [T, Y] in the terms of the targets, e.g. the probability of a 1
  right: np.ndarray  # [T, U] whether each unit of the answer is right, e.g. each bit
  asked: np.ndarray  # [T] whether an answer counts
  memory: np.ndarray  # [T, W, N] as the step left it
  write: np.ndarray  # [T, heads, N] attention of each write head
  read: np.ndarray  # [T, heads, N] attention of each read head
  solves: np.ndarray  # [T] whether a solver is on duty
  marks: np.ndarray  # [T] whether it is a marker, a step with a control bit on
  starts: np.ndarray  # [P] the first step of each phase
  cells: tuple[str, ...]  # [P] the cell on duty
  control_bits: int  # of an input, before its data
  unit: str  # what is right or wrong, in one word, e.g. bit
  tied: bool  # whether one cell is on duty throughout

  @property
  def solving(self) -> int:
    """The first step of the last phases that answer, with no other between them."""
    answers = np.flatnonzero(np.logical_or.reduceat(self.asked, self.starts))
    first = answers[-1] if answers.size else len(self.starts) - 1
    while first - 1 in answers:
      first -= 1
    return int(self.starts[first])

  @property
  def phase(self) -> np.ndarray:
    """[T] which of the phases it belongs to."""
    return np.searchsorted(self.starts, np.arange(len(self.asked)), side='right') - 1

  @property
  def place(self) -> np.ndarray:
    """[T] the how manyth step of its phase it is, markers left out, which are 0."""
    items = np.cumsum(~self.marks)
    before = np.concatenate([[0], items])[self.starts]
    return np.where(self.marks, 0, items - before[self.phase])

  @property
  def wrong(self) -> np.ndarray:
    """[T, U] the units that count and are wrong, e.g. bits."""
    return ~self.right & self.asked[:, None]

  @property
  def marked(self) -> np.ndarray:
    """[T, Y] the numbers of an answer that a wrong unit consists of: all of a wrong token's."""
    return np.repeat(self.wrong, self.answers.shape[1] // self.wrong.shape[1], axis=1)

  @property
  def units(self) -> int:
    """How many units of answers count."""
    return int(self.asked.sum()) * self.right.shape[1]


@dataclasses.dataclass(frozen=True)
class Recorder:
  """Records models of one kind; one compiled program serves all of them.

  Attributes:
    model: the kind of model; parameters are an argument of `record`.
    task: which of its solvers answers.
    length: n, items of the sequence.
    addresses: N, the memory size.
  """
  model: Model
  task: tasks.Task
  length: int
  addresses: int

  @property
  def shows(self) -> bool:
    """Whether the model has a memory to look at, and not too much of it."""
    return models.memory_of(self.model, self.addresses) is not None and self._numbers <= MOST

  def check(self):
    """Raises the errors of `record` that do not depend on its arguments."""
    errors.of_type('the model is', self.model, Model, 'a Model, e.g. that of maes_jax.load')
    limits.check(length=self.length, addresses=self.addresses)
    models.walk(self.model, [self.task], [(self.length, self.addresses)])
    self._check_memory()
    room.check_test(self.model, self.task, self.length, self.addresses, batch_size=1)

  def record(self, params: Params, seed: int = 0) -> Recording:
    """Records one random sequence.

    Raises:
      UserError: a number out of its bounds, a memory too small for the sequence or for the model,
        a task that the model has no solver for, no memory, or too much of it (see `MOST`), or
        parameters of no such model.
    """
    self._checked  # noqa: B018  Once.
    limits.check(seed=seed)
    models.check_params(params, self._shapes)
    key = randomness.key(seed, randomness.Stream.TEST)
    return _recording(self.task, self.model.tied, *jax.device_get(self._trace(params, key)))

  @functools.cached_property
  def _checked(self):
    return self.check()

  @functools.cached_property
  def _shapes(self):
    return models.parameters(self.model)

  @functools.cached_property
  def _trace(self):
    """Compiled: an episode's program, and every step of every phase."""
    def trace(params, key):
      program = tasks.sample(self.task, key, self.length, self.length).program
      return program, self.model.trace(params, self.task.name, program, self.addresses)
    return jax.jit(trace)

  @property
  def _numbers(self):
    return self._numbers_of(self.length)

  def _numbers_of(self, length):
    program = tasks.dry_run(self.task, length).program
    return phases.size(program) * models.memory_of(self.model, self.addresses).size

  def _longest(self):
    """The most items that can be shown, as programs grow with their items; 0 where none can."""
    length, shortest = self.length, max(1, self.task.shortest)
    while length >= shortest and (numbers := self._numbers_of(length)) > MOST:
      length = length * MOST // numbers
    return length if length >= shortest else 0

  def _check_memory(self):
    memory = models.memory_to_see(self.model, self.addresses)
    if self._numbers > MOST:
      raise errors.UserError(
          f'length {self.length:,} with {self.addresses:,} addresses of width {memory.shape[0]} '
          f'makes {self._numbers:,} numbers, more than the {MOST:,} that can be shown; use a '
          f'length of at most {self._longest():,} or fewer addresses')


def record(
    model: Model, params: Params, task: tasks.Task, length: int, addresses: int, seed: int = 0,
) -> Recording:
  """`Recorder.record` for once: one random sequence of `length` items, N = `addresses`."""
  return Recorder(model, task, length, addresses).record(params, seed)


def _recording(task, tied, program, parts):
  there = [(phase, steps) for phase, steps in zip(
      phases.in_time(program), phases.in_time(parts), strict=True)
           if phase.steps and not (tied and phase.again)]
  stretches = [_stretch(task, phase, steps) for phase, steps in there]
  lengths = [len(stretch['asked']) for stretch in stretches]
  return Recording(
      starts=np.cumsum([0, *lengths[:-1]]), control_bits=task.all_control_bits,
      unit=task.answers.unit, tied=tied,
      cells=tuple(phase.cell.removeprefix(phases.OWN) for phase, _ in there),
      **{name: np.concatenate([stretch[name] for stretch in stretches]) for name in stretches[0]})


def _stretch(task, phase, steps):
  """What a recording holds of one phase."""
  kind = task.answers
  nothing = np.zeros((len(phase.inputs), kind.outputs), np.float32)
  output, targets, asked = ((steps.output, phase.targets, phase.mask) if phase.asked else
                            (nothing, nothing, np.zeros(len(nothing), bool)))
  found = {
      'inputs': phase.inputs, 'targets': targets, 'asked': asked,
      'answers': kind.decoded(output) if phase.asked else nothing,
      'right': kind.right(output, targets), 'memory': steps.memory, 'write': steps.write,
      'read': steps.read, 'solves': np.full(len(nothing), phase.cell != phases.ENCODER),
      'marks': (np.asarray(phase.inputs)[:, :task.all_control_bits] != 0).any(1)}
  return {name: np.asarray(leaf)[:int(phase.steps)] for name, leaf in found.items()}
