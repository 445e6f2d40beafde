"""Training launched for real, watched until its first metric."""

import pytest

from experiments.bench import launch
from maes_jax import errors

SMALL = ('--hold=0', '--grow=0', '--start_length=2', '--max_length=2', '--min_length=1',
         '--memory=4', '--validation_length=2', '--validation_memory=4', '--units=2', '--width=2')


def test_the_first_metric_comes_after_some_seconds(tmp_path):
  assert launch.first_metric(str(tmp_path), *SMALL) > 0.1
  assert any(tmp_path.rglob('*'))  # What was compiled.


def test_a_run_that_fails_is_an_error(tmp_path):
  with pytest.raises(errors.UserError, match='status 1 before its first metric'):
    launch.first_metric(str(tmp_path), '--task=nothing')
