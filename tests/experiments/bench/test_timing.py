"""Turns, spans and ratios, on workloads whose duration is scripted."""

import pytest

from experiments.bench import timing


@pytest.fixture
def clock(monkeypatch):
  """A clock that only workloads move."""
  now = [0.]
  monkeypatch.setattr(timing.time, 'perf_counter', lambda: now[0])
  return now


def workload(clock, durations, log, name, losses=None):
  """Takes the scripted durations in turn."""
  durations, losses = iter(durations), iter(losses or [None] * 99)

  def run():
    log.append(name)
    clock[0] += next(durations)
    return next(losses)
  return timing.Workload(run, 6, lambda: log.append(f'tune {name}'))


def test_the_parties_take_turns_after_one_run_each(clock):
  log = []
  timing.interleave({'a': workload(clock, [1] * 5, log, 'a'),
                     'b': workload(clock, [1] * 5, log, 'b')}, repeats=2)
  assert log == ['a', 'b', 'tune a', 'tune b', 'a', 'a', 'b', 'b', 'a', 'a', 'b', 'b']


def test_the_first_run_counts_for_compiling_alone(clock):
  """Each turn starts with a run, of 5 seconds here, that nobody times."""
  sides = timing.interleave({'a': workload(clock, [9, 5, 1, 5, 3, 5, 2], [], 'a')}, repeats=3)
  assert sides['a']['seconds'] == [1, 3, 2]
  assert sides['a']['rate'] == {'median': 3, 'low': 2, 'high': 6}
  assert sides['a']['compile_seconds'] == 7


def test_ratios_are_formed_turn_by_turn(clock):
  """Both slow down by the same in the second turn: the ratio does not change."""
  sides = timing.interleave({'ours': workload(clock, [1, 1, 1, 10, 10], [], 'ours'),
                             'peer': workload(clock, [1, 5, 5, 50, 50], [], 'peer')}, repeats=2)
  assert timing.ratio(sides['ours'], sides['peer']) == {'median': 5, 'low': 5, 'high': 5}


def test_losses_are_those_of_the_first_and_of_the_last_run(clock):
  sides = timing.interleave(
      {'a': workload(clock, [1] * 5, [], 'a', [.7, .6, .5, .4, .3])}, repeats=2)
  assert sides['a']['losses'] == [.7, .3]


def test_short_runs_are_repeated_until_the_turn_is_over(clock, monkeypatch):
  monkeypatch.setattr(timing, 'TURN', 10)
  sides = timing.interleave({'a': workload(clock, [9, 9, 3, 4, 1, 2], [], 'a')}, repeats=1)
  assert sides['a']['seconds'] == [2.5]
