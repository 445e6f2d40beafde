"""From the launch of a training run to its first metric, and the memory that it takes till then."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from .. import programs
from . import timing
from maes_jax import errors
from maes_jax.training.workdir import Workdir

_MANY = 128
_POLL = 0.01  # Seconds between two looks at the log.


def measure(repeats: int) -> timing.Record:
  """Seconds to the first metric with an empty and with a filled cache; peak memory in MiB."""
  cold, warm = [], []
  for _ in range(repeats):
    with tempfile.TemporaryDirectory() as cache:
      cold.append(first_metric(cache))
      warm.append(first_metric(cache))
  with tempfile.TemporaryDirectory() as cache:
    many = first_metric(cache, f'--seeds={_MANY}')
  return {
      'cold_seconds': timing.span([taken for taken, _ in cold]),
      'warm_seconds': timing.span([taken for taken, _ in warm]),
      'peak_mebibytes': {
          'training, K = 1': max(peak for _, peak in cold),
          f'training, K = {_MANY}': many[1]}}


def demo() -> timing.Record:
  """Seconds of `make demo` as a whole, all installed and the cache empty."""
  with tempfile.TemporaryDirectory() as folder:
    return {'seconds': _run('make', '--silent', 'demo', f'DEMO={folder}/demo', cache=folder)}


def first_metric(cache: str, *flags: str) -> tuple[float, float]:
  """Launches a training run with the cache of compiled programs in that folder.

  Returns:
    Seconds to the first line of its log, and the peak of its memory till then in MiB.
  """
  with tempfile.TemporaryDirectory() as folder:
    log = Workdir(pathlib.Path(folder)).metrics
    start = time.perf_counter()
    process = _start([sys.executable, '-m', f'{programs.PACKAGE}.train',
                      f'--workdir={folder}', *flags], cache)
    while not (log.exists() and log.read_text()):
      _check_running(process)
      time.sleep(_POLL)
    taken, peak = time.perf_counter() - start, _peak(process)
    process.kill()
    process.wait()
    return taken, peak


def _run(*command, cache):
  """Seconds that a command takes."""
  start = time.perf_counter()
  if status := _start(command, cache).wait():
    raise errors.UserError(f'{command[0]} failed with status {status}; '
                           f'run it by hand to see why: {" ".join(command)}')
  return time.perf_counter() - start


def _start(command, cache):
  environment = os.environ | {'XDG_CACHE_HOME': cache}
  return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)


def _check_running(process):
  if process.poll() is not None:
    raise errors.UserError(f'training ended with status {process.returncode} before its first '
                           f'metric; run `python -m {programs.PACKAGE}.train` to see why')


def _peak(process) -> float:
  """The largest resident set of a running process in MiB.

  What the system tells of a process that has ended includes its parent's before it was launched.
  """
  status = pathlib.Path(f'/proc/{process.pid}/status').read_text()
  (kibibytes,) = re.findall(r'VmHWM:\s+(\d+) kB', status)
  return int(kibibytes) / 1024
