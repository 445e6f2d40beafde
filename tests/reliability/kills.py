"""Kills runs at random moments, starts them again, and compares them with runs left alone."""

from collections.abc import Iterable
import concurrent.futures
import functools
import os
import pathlib
import random
import signal
import time

from tests.reliability import remains
from tests.reliability import scenarios

LATER = 0.3  # A kill comes up to this many seconds after its iteration was saved,
LAST = 0.8  # which is in this share of the run, so that it is not done before.


def run(
    todo: Iterable[scenarios.Scenario], encoder: pathlib.Path, folder: pathlib.Path, kills: int,
    jobs: int = 2, seed: int = 0,
) -> list[dict]:
  """A record for each run.

  Args:
    todo: the runs.
    encoder: workdir of a run that they may build on.
    folder: an empty one for all of them.
    kills: how often each run is killed by SIGKILL; each is asked to stop by SIGTERM once, too.
    jobs: how many runs at a time.
    seed: of the moments.
  """
  trials = [_Trial(scenario, folder / scenario.name.replace(' ', '_'), encoder,
                   random.Random(f'{seed} {scenario.name}')) for scenario in todo]
  with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    return list(pool.map(lambda trial: trial.run(kills), trials))


class _Trial:
  """One run left alone, the same one killed, and what differs in the end."""

  def __init__(self, scenario, folder, encoder, chance):
    self._scenario, self._encoder, self._chance = scenario, encoder, chance
    self._alone, self._killed = folder / 'alone', folder / 'killed'

  def run(self, kills) -> dict:
    start = time.monotonic()
    scenarios.finish(self._scenario, self._alone, self._encoder)
    seconds = time.monotonic() - start
    found = [self._kill(functools.partial(self._await_start, self._chance.uniform(0, seconds / 2)))
             for _ in range(kills // 3)]
    stopped = self._stop()
    found += [self._kill(moment) for moment in self._moments(kills - kills // 3)]
    scenarios.finish(self._scenario, self._killed, self._encoder)
    done = [kill for kill in found if kill]
    return {'run': self._scenario.name, 'kills': len(done),
            'during_a_save': sum(kill['saving'] for kill in done),
            'before_the_first_save': sum(kill['step'] == 0 for kill in done),
            'stopped_in_seconds': stopped,
            'differences': remains.differences(self._alone, self._killed)}

  def _moments(self, count):
    """After random iterations, in order: at once when a save goes on, or a moment later."""
    last = int(LAST * self._scenario.iterations)
    for i, target in enumerate(sorted(self._chance.randrange(last) for _ in range(count))):
      yield functools.partial(self._await_save if i % 2 else self._await, target)

  def _started(self):
    return scenarios.started(self._scenario, self._killed, self._encoder)

  def _kill(self, wait):
    """Kills all processes of the run at a moment; None if it was done before."""
    with self._started() as process:
      wait(process)
      if process.poll() is not None:
        return None
      os.killpg(process.pid, signal.SIGKILL)
      process.wait()
    return {'saving': remains.unfinished(self._killed), 'step': remains.step(self._killed)}

  def _await_start(self, seconds, process):
    """So many seconds, or until the first save: compiled programs are there the second time."""
    end, before = time.monotonic() + seconds, remains.step(self._killed)
    scenarios.poll(
        process, lambda: time.monotonic() > end or remains.step(self._killed) > before)

  def _await(self, target, process):
    scenarios.poll(process, lambda: remains.step(self._killed) > target)
    time.sleep(self._chance.uniform(0, LATER))

  def _await_save(self, target, process):
    scenarios.poll(process, lambda: remains.step(self._killed) > target
                   and remains.unfinished(self._killed))

  def _stop(self):
    """Asks to stop by SIGTERM; the seconds that took, None if the run was done before."""
    with self._started() as process:
      self._await(remains.step(self._killed), process)
      start = time.monotonic()
      process.terminate()
      process.wait()
    return round(time.monotonic() - start, 1) if process.returncode else None
