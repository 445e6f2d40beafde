"""Rates that can be compared: the parties take turns, and every turn gives one ratio."""

from collections.abc import Callable, Mapping
import dataclasses
import statistics
import time
from typing import Any

Record = dict[str, Any]
PAUSE = 0.3  # Seconds in which the threads of the last party, which wait busily, go to sleep.
TURN = 0.3  # Seconds that a turn times at least; one run may take no more than a few thousandths.


@dataclasses.dataclass(frozen=True)
class Workload:
  """A piece of work to be timed again and again.

  Attributes:
    run: does the work, waits until it is done; returns the training loss, None where there is none.
    units: how many units of work that is, e.g. iterations times models.
    tune: called once after the first run, to choose how the later ones go.
  """
  run: Callable[[], float | None]
  units: int
  tune: Callable[[], None] = lambda: None


def interleave(workloads: Mapping[str, Workload], repeats: int) -> dict[str, Record]:
  """Runs each workload once, then all in turn, `repeats` times.

  The first run compiles; what it takes beyond the median of the later ones is `compile_seconds`.
  A turn is one untimed run, which wakes the cores up, and as many timed ones as fill `TURN`.

  Returns:
    By name: `rate`, units per second (a span); `seconds` of a run, in each turn;
    `compile_seconds`; `losses`, of the first and of the last run, where there are any.
  """
  first = {name: seconds(workload.run) for name, workload in workloads.items()}
  for workload in workloads.values():
    workload.tune()
  turns = [{name: _turn(workload) for name, workload in workloads.items()}
           for _ in range(repeats)]
  return {name: _record(workload.units, first[name], [turn[name] for turn in turns])
          for name, workload in workloads.items()}


def ratio(ours: Record, peer: Record) -> Record:
  """How many times faster ours is, as a span over the turns."""
  one, other = _rates(ours), _rates(peer)
  return span([a / b for a, b in zip(one, other, strict=True)])


def span(values) -> Record:
  """Median and range."""
  return {'median': statistics.median(values), 'low': min(values), 'high': max(values)}


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
  """How long a call takes, and what it returns."""
  start = time.perf_counter()
  result = run()
  return time.perf_counter() - start, result


def _turn(workload):
  """Mean seconds of a run, and what the last one returned."""
  time.sleep(PAUSE)
  workload.run()
  runs = [seconds(workload.run)]
  while sum(taken for taken, _ in runs) < TURN:
    runs.append(seconds(workload.run))
  return statistics.mean(taken for taken, _ in runs), runs[-1][1]


def _rates(record):
  return [record['units'] / taken for taken in record['seconds']]


def _record(units, first, timed):
  taken = [duration for duration, _ in timed]
  record = {'units': units, 'seconds': taken, 'rate': span([units / t for t in taken]),
            'compile_seconds': max(0., first[0] - statistics.median(taken))}
  losses = [first[1], timed[-1][1]]
  return record if None in losses else record | {'losses': losses}
