"""A long run watched from outside: its memory, and whether its numbers stay numbers."""

import math
import pathlib
import re
import statistics
import time

from maes_jax.training import metrics
from tests.reliability import remains
from tests.reliability import scenarios

EVERY = 0.5  # Seconds between two looks.


def run(folder: pathlib.Path, iterations: int) -> dict:
  """The record of one model trained for `iterations`: [iteration, MiB] of its process, and more."""
  scenario = scenarios.train(
      'soak', '--task=serial_recall', '--save_seconds=1', iterations=iterations)
  samples = {}  # The last one at each iteration that was saved.
  with scenarios.started(scenario, folder) as process:
    while process.poll() is None:
      samples[remains.step(folder)] = _resident(process.pid)
      time.sleep(EVERY)
  rows = metrics.read(folder / 'run' / 'metrics.jsonl')
  return {'iterations': rows[-1]['iteration'], 'samples': [list(item) for item in samples.items()],
          'finite': all(math.isfinite(value) for row in rows for value in row.values()),
          'skipped': sum(row.get('skipped', 0) for row in rows)}


def _resident(process) -> float:
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
  return (statistics.median_high(saved[2 * quarter:])
          - statistics.median_high(saved[quarter:2 * quarter]))
