"""From a launch to a first metric or to a population's last; the whole of `make demo`."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

from . import timing
from ..paper import runs
from maes_jax import errors
from maes_jax.training import metrics
from maes_jax.training.workdir import Workdir

_PACKAGE = __package__.rpartition('.')[0]  # Where the binaries are, here or once installed.
CROWD, CROWD_ITERATIONS = 1_000, 5_000  # Models, and the most that each may train.
_POLL = 0.01  # Seconds between two looks at the log.


def measure(repeats: int) -> timing.Record:
  """Seconds to the first metric with an empty and with a filled cache of compiled programs."""
  cold, warm = [], []
  for _ in range(repeats):
    with tempfile.TemporaryDirectory() as cache:
      cold.append(first_metric(cache))
      warm.append(first_metric(cache))
  return {'cold_seconds': timing.span(cold), 'warm_seconds': timing.span(warm)}


def demo() -> timing.Record:
  """Seconds of `make demo` as a whole, all installed and the cache empty."""
  with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    _finish(folder, 'make', '--silent', 'demo', f'DEMO={folder}/demo')
    return {'seconds': time.perf_counter() - start}


def crowd() -> timing.Record:
  """Seconds of training a thousand E_J, from the launch on, and how many converged.

  The cache of programs is empty. The few that are stuck train on to the last iteration.
  """
  with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    _finish(folder, sys.executable, '-m', f'{_PACKAGE}.train', f'--workdir={folder}/run',
            f'--task={",".join(runs.ENCODERS["E_J"])}', f'--seeds={CROWD}',
            f'--max_iterations={CROWD_ITERATIONS}')
    seconds = time.perf_counter() - start
    last = {row['model']: row['iteration']
            for row in metrics.read(Workdir(pathlib.Path(folder, 'run')).metrics)}
  ends = sorted(last.values())
  return {'models': CROWD, 'seconds': seconds, 'median_iterations': ends[CROWD // 2],
          'converged': sum(end < CROWD_ITERATIONS for end in ends)}


def first_metric(cache: str, *flags: str) -> float:
  """Seconds from a launch, with that cache of programs, to the first line of the run's log."""
  with tempfile.TemporaryDirectory() as folder:
    log = Workdir(pathlib.Path(folder)).metrics
    start = time.perf_counter()
    with _start(cache, sys.executable, '-m', f'{_PACKAGE}.train',
                f'--workdir={folder}', *flags) as process:
      try:
        while not (log.exists() and log.read_text()):
          if process.poll() is not None:
            raise errors.UserError(f'training ended with status {process.returncode} before its '
                                   f'first metric; run `python -m {_PACKAGE}.train` to see why')
          time.sleep(_POLL)
        return time.perf_counter() - start
      finally:
        process.kill()


def _finish(cache, *command):
  if status := _start(cache, *command).wait():
    raise errors.UserError(f'{" ".join(command)} ended with status {status}; run it to see why')


def _start(cache, *command):
  return subprocess.Popen(command, env=os.environ | {'XDG_CACHE_HOME': cache},
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
