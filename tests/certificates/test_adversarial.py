"""Certified shipped models are right on what was made to make them wrong, and at any length."""

import pytest

from tests.certificates import adversarial


@pytest.mark.parametrize('name, task', adversarial.CERTIFIED[:1])
def test_no_sequence_is_wrong(name, task):
  found = adversarial.search(name, task, 1000, effort=64)
  assert found.witness is None
  assert found.tried >= 1000


@pytest.mark.parametrize('name, task', adversarial.CERTIFIED[::2])
def test_a_long_sequence_is_right(name, task):
  """Through a window that leaves no weight out."""
  wrong, bits, exact = adversarial.long(name, task, 3000)
  assert exact
  assert bits >= 3000
  assert not wrong
