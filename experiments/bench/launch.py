"""From the launch of a training run to its first metric, and the memory that it takes till then."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from experiments.bench import timing
from maes_jax import errors
from maes_jax.training.workdir import Workdir

_MANY = 128
_POLL = 0.01  # Seconds between two looks at the log.
_PEER = "from experiments.bench import peers; peers.training('maes', 20).run()"


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
          f'training, K = {_MANY}': many[1],
          'PyTorch, one model': _run(sys.executable, '-c', _PEER)[1]}}


def demo() -> timing.Record:
  """Seconds of `make demo` as a whole, all installed and the cache empty."""
  with tempfile.TemporaryDirectory() as folder:
    taken, _ = _run('make', '--silent', 'demo', f'DEMO={folder}/demo', cache=folder)
  return {'seconds': taken}


def first_metric(cache: str, *flags: str) -> tuple[float, float]:
  """Launches a training run with the cache of compiled programs in that folder.

  Returns:
    Seconds to the first line of its log, and the peak of its memory till then in MiB.
  """
  with tempfile.TemporaryDirectory() as folder:
    log = Workdir(pathlib.Path(folder)).metrics
    start = time.perf_counter()
    process = _start([sys.executable, '-m', 'experiments.train', f'--workdir={folder}', *flags],
                     cache)
    while not (log.exists() and log.read_text()):
      _check_running(process)
      time.sleep(_POLL)
    taken = time.perf_counter() - start
    process.kill()
    return taken, _peak(process)


def _run(*command, cache=None):
  start = time.perf_counter()
  process = _start(command, cache)
  peak = _peak(process)
  if process.returncode:
    raise errors.UserError(f'{command[0]} failed with status {process.returncode}; '
                           f'run it by hand to see why: {" ".join(command)}')
  return time.perf_counter() - start, peak


def _start(command, cache):
  environment = os.environ | ({'XDG_CACHE_HOME': cache} if cache else {})
  return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)


def _check_running(process):
  if process.poll() is not None:
    raise errors.UserError(f'training ended with status {process.returncode} before its first '
                           'metric; run `python -m experiments.train` to see why')


def _peak(process) -> float:
  """Waits for the end of a process; its largest resident set in MiB."""
  _, status, usage = os.wait4(process.pid, 0)
  process.returncode = os.waitstatus_to_exitcode(status)
  return usage.ru_maxrss / 1024
