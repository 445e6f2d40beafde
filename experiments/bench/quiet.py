"""How quiet the machine was: a fixed piece of work, timed between the parts of a benchmark."""

import os
import pathlib
import time

from . import timing

WORK = 10**7  # Numbers added up: some tenths of a second of one core.
SLOWER, OTHERS = 1.2, 0.05  # Of a machine that passes for quiet.
_CPUS = pathlib.Path('/proc/stat')  # Linux's; ticks of all cores since it was started.
_IDLE = slice(3, 5)  # And what waited for a disk. The last two are in the first already.


def look() -> timing.Record:
  """Seconds of the work, and the share of all cores' time that others had, or a host took, then.

  It is None where the system does not say.
  """
  time.sleep(timing.PAUSE)
  before = _ticks()
  seconds, _ = timing.seconds(lambda: sum(range(WORK)))
  if not before:
    return {'seconds': seconds, 'others': None}
  every, others = (after - then for after, then in zip(_ticks(), before))
  return {'seconds': seconds, 'others': max(0., others / every)}


def _ticks():
  """Of all cores, and of these what neither idled nor was ours; None where nothing says so."""
  try:
    ticks = [int(word) for word in _CPUS.read_text().split('\n', 1)[0].split()[1:9]]
  except (OSError, ValueError):
    return None
  ours = sum(os.times()[:2]) * os.sysconf('SC_CLK_TCK')
  return sum(ticks), sum(ticks) - sum(ticks[_IDLE]) - ours
