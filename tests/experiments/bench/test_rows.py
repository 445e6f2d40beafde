"""Rows on paper and one for real, small; the binary's errors and its record."""

import json
import math
import sys

import pytest

from experiments import bench
from experiments.bench import ours
from experiments.bench import rows
from maes_jax import errors


def small():
  return rows.Row('small training', 'iterations', lambda: ours.training(
      seeds=2, window=3, units=2, width=2, memory=4, min_length=1, max_length=2,
      validation_length=2), peers={})


def test_a_row_is_timed():
  record = rows.measure(small(), repeats=2)
  ours_side = record['sides']['ours']
  assert ours_side['units'] == 6 and len(ours_side['seconds']) == 2
  assert all(math.isfinite(loss) for loss in ours_side['losses'])
  json.dumps(record)


@pytest.mark.parametrize(('losses', 'fell'), [([.7, .6], True), ([.6, .6], False), (None, True)])
def test_a_row_has_learned_if_its_loss_fell(losses, fell):
  side = {} if losses is None else {'losses': losses}
  assert rows.learned({'sides': {'ours': side}}) == fell


def test_the_long_test_runs_a_trained_model():
  workload = ours.testing(addresses=40, length=5, batch=2)
  assert workload.units == 2
  assert workload.run() is None  # It has no loss, and would raise on a wrong bit.


def test_peers_that_are_not_installed_are_asked_for(monkeypatch):
  monkeypatch.delattr(bench, 'peers', raising=False)
  monkeypatch.setitem(sys.modules, 'experiments.bench.peers', None)
  with pytest.raises(errors.UserError, match='run `make bench`'):
    rows.measure(rows.ROWS['ntm'], repeats=1)
