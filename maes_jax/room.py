"""Whether there is room for a run: what it takes at least, from shapes alone, and what there is.

What is added up here is certain to be needed at one time; what a compiler makes besides is not
counted, so that nothing that works is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax

from maes_jax import devices
from maes_jax import errors
from maes_jax import machine
from maes_jax import models
from maes_jax import shapes
from maes_jax import tasks
from maes_jax.encoder_solver import Model


class Part(NamedTuple):
  """Something that takes memory."""
  size: int  # Bytes.
  remedy: str  # What to make smaller.


def check(what: str, parts: Mapping[str, Part], on: Sequence[jax.Device]):
  """Refuses what takes more memory than there is; does not where that is unknown.

  Args:
    what: will be done, for the message.
    parts: that are needed at one time, by name.
    on: the devices that share the work.

  Raises:
    UserError: says what it would take, what there is and what to make smaller.
  """
  needed, there_is = sum(part.size for part in parts.values()), available(on)
  if there_is is None or needed <= there_is:
    return
  largest = max(parts, key=lambda name: parts[name].size)
  raise errors.UserError(
      f'{what} takes at least {machine.in_words(needed)}, most of it for {largest}, and there are '
      f'{machine.in_words(there_is)}; use {parts[largest].remedy}')


def check_test(
    model: Model, task: tasks.Task, length: int, addresses: int, batch_size: int,
    on: Sequence[jax.Device] | None = None):
  """Whether batches of sequences can be answered; see `check`."""
  model_size = shapes.size(models.parameters(model))
  one = sequence(model, task, length, addresses)
  check(f'a test of length {length:,} in {addresses:,} addresses by {batch_size:,} sequences', {
      'parameters': Part(model_size, 'a smaller model'),
      'sequences and their memory': Part(
          batch_size * one, 'a shorter length, fewer addresses or a smaller batch_size'),
  }, devices.first() if on is None else on)


def sequence(model: Model, task: tasks.Task, length: int, addresses: int) -> int:
  """Bytes of one sequence that is tested, and of what a cell carries."""
  return shapes.size(state(model, addresses)) + shapes.size(tasks.dry_run(task, length))


@shapes.quietly()
def state(model: Model, addresses: int) -> Any:
  """The shapes of what a cell of the model carries from step to step."""
  return jax.eval_shape(lambda: model.encoder.initial_state(addresses))


def available(on: Sequence[jax.Device]) -> int | None:
  """Bytes that such devices can give, those of other processes like those of this; None: unknown.
  """
  here = [device for device in on if device.process_index == jax.process_index()]
  if not here:
    return None
  if here[0].platform != 'cpu':
    limit = (here[0].memory_stats() or {}).get('bytes_limit')
    return limit and limit * len(on)
  host = machine.memory()  # Which its devices share.
  return host and host * len(on) // len(here)
