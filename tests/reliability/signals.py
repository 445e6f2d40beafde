"""Asks runs to stop at random moments, from the first steps of their start on."""

from collections.abc import Iterable
import concurrent.futures
import itertools
import pathlib
import random
import signal
import subprocess
import time

from tests.reliability import remains
from tests.reliability import scenarios

SIGNALS = (signal.SIGINT, signal.SIGTERM)
EARLIEST, LATEST = 0.3, 10.  # Seconds after the launch.
LOST = 20.  # Seconds after which a run that goes on has not heard.
CYCLES = 5  # Launches in a folder; later ones start by reading what the first have saved.
# Two models that are not done before they are asked to stop.
ENDLESS = scenarios.train('endless', '--task=serial_recall', '--seeds=2', iterations=100_000_000)


def run(folder: pathlib.Path, count: int, jobs: int = 2, seed: int = 0) -> dict:
  """The record of so many launches, each asked to stop once.

  Args:
    folder: an empty one for all of them.
    count: how many signals, SIGINT and SIGTERM in turn.
    jobs: how many runs at a time.
    seed: of the moments.
  """
  chance = random.Random(seed)
  moments = [chance.uniform(EARLIEST, LATEST) for _ in range(count)]
  folders = [(folder / str(start), moments[start:start + CYCLES])
             for start in range(0, count, CYCLES)]
  _compile(folder / 'first')
  with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    found = pool.map(lambda todo: _in_turn(*todo), folders)
    return summary(itertools.chain.from_iterable(found))


def summary(ends: Iterable[dict]) -> dict:
  """What came of them all; all but the first two and the last should be 0."""
  ends = list(ends)
  return {'signals': len(ends),
          'while_starting': sum('all saved' not in end['printed'] for end in ends),
          'lost': sum(end['status'] is None for end in ends),
          'tracebacks': sum('Traceback' in end['printed'] for end in ends),
          'wrong_statuses': sum(end['status'] not in (1, None) for end in ends),
          'slowest_seconds': max(end['seconds'] for end in ends)}


def _compile(folder):
  """Trains up to a first save: whoever finds compiled programs trains soon after its launch."""
  with scenarios.started(ENDLESS, folder) as process:
    scenarios.poll(process, lambda: remains.step(folder))
    process.terminate()
    process.communicate()


def _in_turn(folder, moments) -> list[dict]:
  return [_stop(folder, moment, SIGNALS[turn % 2]) for turn, moment in enumerate(moments)]


def _stop(folder, moment, number) -> dict:
  """Launches a run, asks it to stop after so many seconds, and tells how it ended."""
  with scenarios.started(ENDLESS, folder) as process:
    time.sleep(moment)
    process.send_signal(number)
    asked = time.monotonic()
    try:
      _, printed = process.communicate(timeout=LOST)
    except subprocess.TimeoutExpired:
      process.kill()
      return {'status': None, 'printed': process.communicate()[1], 'seconds': LOST}
  return {'status': process.returncode, 'printed': printed,
          'seconds': round(time.monotonic() - asked, 1)}
