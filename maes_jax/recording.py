"""All that one model does on one sequence, step by step: what pages and pictures are made from."""

from typing import NamedTuple

import jax
import numpy as np

from maes_jax import errors
from maes_jax import randomness
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


def record(
    model: Model, params: Params, task: tasks.Task, length: int, addresses: int, seed: int = 0,
) -> Recording:
  """Runs a model on one random sequence of `length` items in a memory of `addresses` words.

  Raises:
    UserError: the model has no memory, or there is too much of it (see `MOST`).
  """
  key = randomness.key(seed, randomness.Stream.TEST)
  episode = tasks.sample(task, key, length, max_length=length)
  run = jax.jit(lambda params: model.trace(params, task.name, episode, addresses)[1:])
  _check(jax.eval_shape(run, params)[1].memory)
  encoding, solving = jax.device_get(run(params))
  episode = jax.device_get(episode)
  return Recording(
      inputs=np.concatenate([episode.main, episode.aux]),
      targets=_after_encoding(episode.targets),
      answers=_after_encoding(jax.nn.sigmoid(solving.output)),
      asked=_after_encoding(episode.mask),
      memory=np.concatenate([encoding.memory, solving.memory]),
      write=np.concatenate([encoding.write, solving.write]),
      read=np.concatenate([encoding.read, solving.read]))


def _check(memory):
  """Tells from the shape of one phase's memory [T / 2, W, N] that it cannot be shown."""
  if memory is None:
    raise errors.UserError('this model has no memory to look at; choose one that has, e.g. maes')
  if 2 * memory.size > MOST:
    steps, width, addresses = memory.shape
    raise errors.UserError(
        f'length {steps - 1:,} with {addresses:,} addresses of width {width} makes '
        f'{2 * memory.size:,} numbers, more than the {MOST:,} that can be shown; use a length of '
        f'at most {max(MOST // (2 * width * addresses) - 1, 0):,} or fewer addresses')


def _after_encoding(solving):
  """Zeros for as many steps of encoding, then the steps of solving."""
  return np.concatenate([np.zeros_like(solving), solving])
