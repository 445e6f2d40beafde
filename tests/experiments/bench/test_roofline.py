"""The measured limits are those of a real machine, and of the cores that they claim."""

import os

from experiments.bench import roofline


def test_limits_of_one_core_and_of_all():
  """No machine does fewer than a hundred million operations or bytes a second."""
  found = roofline.measure()
  assert found['one_core']['cores'] == 1
  assert found['all_cores']['cores'] == len(os.sched_getaffinity(0))
  for limit in found.values():
    assert all(rate > 1e8 for name, rate in limit.items() if name != 'cores')
