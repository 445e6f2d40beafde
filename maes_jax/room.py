"""Whether there is room for a run: what it takes at least, from shapes alone, and what there is.

What is added up here is certain to be needed at one time; what a compiler makes besides is not
counted, so that nothing that works is refused.
"""

from collections.abc import Mapping, Sequence
import math
import os
import pathlib
from typing import Any, NamedTuple

import jax

from maes_jax import devices
from maes_jax import errors
from maes_jax import models
from maes_jax import shapes
from maes_jax import tasks
from maes_jax.encoder_solver import Model

_GIB = 2**30


class Part(NamedTuple):
  """Something that takes memory."""
  size: int  # Bytes.
  remedy: str  # What to make smaller.


def size(tree: Any) -> int:
  """Bytes of arrays, or of what `jax.eval_shape` says of them; a whole number of any size."""
  return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


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
      f'{what} takes at least {_in_words(needed)}, most of it for {largest}, and there are '
      f'{_in_words(there_is)}; use {parts[largest].remedy}')


def check_test(
    model: Model, task: tasks.Task, length: int, addresses: int, batch_size: int,
    on: Sequence[jax.Device] | None = None):
  """Whether batches of sequences can be answered; see `check`."""
  model_size = size(models.parameters(model))
  one = size(state(model, addresses)) + size(tasks.dry_run(task, length))
  check(f'a test of length {length:,} in {addresses:,} addresses by {batch_size:,} sequences', {
      'parameters': Part(model_size, 'a smaller model'),
      'sequences and their memory': Part(
          batch_size * one, 'a shorter length, fewer addresses or a smaller batch_size'),
  }, devices.first() if on is None else on)


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
  host = _host()  # Which its devices share.
  return host and host * len(on) // len(here)


def _host() -> int | None:
  """Bytes that this process can have: what is free, what it holds, no more than its group may."""
  free = _fields(pathlib.Path('/proc/meminfo'))
  if 'MemAvailable' not in free:
    return None
  swap = free.get('SwapFree', 0)
  return min([free['MemAvailable'] + swap + _held(), *_group_limits()])


def _fields(path) -> dict[str, int]:
  """Lines like `MemAvailable:  23974684 kB`, in bytes; none where there is no such file."""
  words = (line.split() for line in _text(path).splitlines())
  return {name.rstrip(':'): 1024 * int(number) for name, number, *_ in words}


def _held() -> int:
  _, resident, *_ = _text(pathlib.Path('/proc/self/statm')).split() or (0, 0)
  return int(resident) * os.sysconf('SC_PAGE_SIZE')


def _group_limits() -> list[int]:
  """Limits of the control groups that this process is in, from its own up to the root."""
  limits = []
  for line in _text(pathlib.Path('/proc/self/cgroup')).splitlines():
    _, controllers, path = line.split(':', 2)
    if 'memory' in controllers.split(','):
      limits += _upwards('/sys/fs/cgroup/memory', path, 'memory.limit_in_bytes')
    elif not controllers:
      limits += _upwards('/sys/fs/cgroup', path, 'memory.max')
  return limits


def _upwards(root, path, file) -> list[int]:
  group = pathlib.PurePosixPath(path)
  found = (_text(pathlib.Path(f'{root}{above}', file)).strip() for above in (group, *group.parents))
  return [int(text) for text in found if text.isdigit()]


def _text(path) -> str:
  try:
    return path.read_text()
  except OSError:
    return ''


def _in_words(size) -> str:
  return f'{max(size / _GIB, .01):,.2f} GiB'
