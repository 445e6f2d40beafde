"""A long run watched from outside: its memory, and whether its numbers stay numbers."""

import math
import pathlib
import re
import time

from . import crash
from . import remains
from . import scenarios
from maes_jax.training import metrics

EVERY = 0.5  # Seconds between two looks.


def run(folder: pathlib.Path, iterations: int) -> dict:
  """The record of one model trained for `iterations`: [iteration, MiB] of its process, and more."""
  scenario = scenarios.soak(iterations)
  samples = []
  with crash.started(scenario, folder, folder) as process:
    while process.poll() is None:
      samples.append([remains.step(folder), resident(process.pid)])
      time.sleep(EVERY)
  rows = metrics.read(folder / 'run' / 'metrics.jsonl')
  return {'iterations': rows[-1]['iteration'], 'samples': _thin(samples),
          'finite': all(math.isfinite(value) for row in rows for value in row.values()),
          'skipped': sum(row.get('skipped', 0) for row in rows)}


def resident(process: int) -> float:
  """Memory of a process that is in RAM, in MiB; 0 once it has ended."""
  try:
    status = pathlib.Path(f'/proc/{process}/status').read_text()
  except OSError:
    return 0.
  found = re.search(r'VmRSS:\s+(\d+) kB', status)
  return round(int(found[1]) / 1024, 1) if found else 0.


def trained(samples) -> list:
  """Those from the first save to the end of the process."""
  return [[iteration, memory] for iteration, memory in samples if iteration and memory]


def growth(samples) -> float:
  """MiB by which the second half's median lies above that of the second quarter."""
  saved = [memory for _, memory in trained(samples)]
  quarter = len(saved) // 4
  return _median(saved[2 * quarter:]) - _median(saved[quarter:2 * quarter])


def _median(values):
  return sorted(values)[len(values) // 2]


def _thin(samples):
  """The last sample at each iteration that was saved."""
  return [list(sample) for sample in dict(samples).items()]
