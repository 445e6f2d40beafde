"""Populations that take turns do the same work, and each step is a ratio of its own."""

from experiments.bench import cost
from experiments.bench import timing


def test_every_population_does_the_same_work(monkeypatch):
  done = dict.fromkeys(cost.POPULATIONS, 0)

  def training(seeds):
    def run():
      done[seeds] += 100 * seeds
    return timing.Workload(run, 100 * seeds)

  monkeypatch.setattr(cost.ours, 'training', training)
  monkeypatch.setattr(timing, 'PAUSE', 0)
  record = cost.measure(repeats=1)
  assert set(record) == {'1 to 8', '8 to 32', '32 to 128', '1 to 128'}
  assert len(set(done.values())) == 1
  assert all(fall['low'] <= fall['median'] <= fall['high'] for fall in record.values())
