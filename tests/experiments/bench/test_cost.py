"""Populations that take turns; each step from one to the next is a ratio of its own."""

import pytest

from experiments.bench import cost
from experiments.bench import timing


def test_the_fall_is_that_of_the_seconds_a_model(monkeypatch):
  """A clock on which K models take 1 + K seconds: 2 a model alone, 129 / 128 of a 128th."""
  now = [0.]

  def training(seeds):
    def run():
      now[0] += 1 + seeds
    return timing.Workload(run, seeds)

  monkeypatch.setattr(cost.ours, 'training', training)
  monkeypatch.setattr(timing, 'PAUSE', 0)
  monkeypatch.setattr(timing.time, 'perf_counter', lambda: now[0])
  record = cost.measure(repeats=1)
  assert set(record) == {'1 to 8', '8 to 32', '32 to 128', '1 to 128'}
  assert record['1 to 8']['median'] == pytest.approx(2 / (9 / 8))
  assert record['1 to 128']['median'] == pytest.approx(2 / (129 / 128))
