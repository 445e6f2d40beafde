"""All that one model does on one sequence, step by step: what pages and pictures are made from."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import numpy as np

from maes_jax import errors
from maes_jax import limits
from maes_jax import models
from maes_jax import randomness
from maes_jax import room
from maes_jax import tasks
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params

# Numbers of memory over all steps: 1,000 items in 1,024 addresses of width 12. A page of twice as
# many would no longer fit a phone.
MOST = 25_000_000


class Recording(NamedTuple):
  """T = 2 (n + 1) time steps: a marker and n items encoded, then a marker and n steps of solving.

  Where nothing is asked, in encoding and where the task has no answer, `asked` is False, targets
  are 0 and answers mean nothing.
  """
  inputs: np.ndarray  # [T, X] bits
  targets: np.ndarray  # [T, Y] bits
  answers: np.ndarray  # [T, Y] probability of a 1
  asked: np.ndarray  # [T] whether an answer counts
  memory: np.ndarray  # [T, W, N] as the step left it
  write: np.ndarray  # [T, heads, N] attention of each write head
  read: np.ndarray  # [T, heads, N] attention of each read head

  @property
  def solving(self) -> int:
    """The first step of solving."""
    return len(self.inputs) // 2

  @property
  def wrong(self) -> np.ndarray:
    """[T, Y] the bits that count and are wrong."""
    return ((self.answers > 0.5) != (self.targets > 0.5)) & self.asked[:, None]

  @property
  def bits(self) -> int:
    """How many bits count."""
    return int(self.asked.sum()) * self.targets.shape[1]


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
    limits.check(length=self.length, addresses=self.addresses)
    models.walk(self.model, [self.task], self.length, self.addresses)
    self._check_memory()
    room.check_test(self.model, self.task, self.length, self.addresses, batch_size=1)

  def record(self, params: Params, seed: int = 0) -> Recording:
    """Records one random sequence.

    Raises:
      UserError: a number out of its bounds, a memory too small for the sequence or for the model,
        a task that the model has no solver for, no memory, or too much of it (see `MOST`).
    """
    self._checked  # noqa: B018  Once.
    limits.check(seed=seed)
    key = randomness.key(seed, randomness.Stream.TEST)
    return _recording(*jax.device_get(self._trace(params, key)))

  @functools.cached_property
  def _checked(self):
    return self.check()

  @functools.cached_property
  def _trace(self):
    """Compiled: an episode, every step of encoding and every step of solving."""
    def trace(params, key):
      episode = tasks.sample(self.task, key, self.length, self.length)
      _, *steps = self.model.trace(params, self.task.name, episode, self.addresses)
      return episode, *steps
    return jax.jit(trace)

  @property
  def _numbers(self):
    return 2 * (self.length + 1) * models.memory_of(self.model, self.addresses).size

  def _check_memory(self):
    memory = models.memory_to_see(self.model, self.addresses)
    if self._numbers > MOST:
      raise errors.UserError(
          f'length {self.length:,} with {self.addresses:,} addresses of width {memory.shape[0]} '
          f'makes {self._numbers:,} numbers, more than the {MOST:,} that can be shown; use a '
          f'length of at most {max(MOST // (2 * memory.size) - 1, 0):,} or fewer addresses')


def record(
    model: Model, params: Params, task: tasks.Task, length: int, addresses: int, seed: int = 0,
) -> Recording:
  """`Recorder.record` for once: one random sequence of `length` items, N = `addresses`."""
  return Recorder(model, task, length, addresses).record(params, seed)


def _recording(episode, encoding, solving):
  return Recording(
      inputs=np.concatenate([episode.main, episode.aux]),
      targets=_after_encoding(episode.targets),
      answers=_after_encoding(jax.nn.sigmoid(solving.output)),
      asked=_after_encoding(episode.mask),
      memory=np.concatenate([encoding.memory, solving.memory]),
      write=np.concatenate([encoding.write, solving.write]),
      read=np.concatenate([encoding.read, solving.read]))


def _after_encoding(solving):
  """Zeros for as many steps of encoding, then the steps of solving."""
  return np.concatenate([np.zeros_like(solving), solving])
