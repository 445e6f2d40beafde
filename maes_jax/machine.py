"""What the machine that this process runs on can give it."""

import os
import pathlib


def memory() -> int | None:
  """Bytes that this process can have: what is free, what it holds, no more than its group may.

  None where that is unknown.
  """
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


def in_words(size: int) -> str:
  """Bytes as people say them."""
  return f'{max(size / 2**30, .01):,.2f} GiB'
