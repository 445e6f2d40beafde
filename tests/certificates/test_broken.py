"""Models that were broken on purpose are not certified, and most are refuted by a sequence."""

import collections

import pytest

from maes_jax.certificates import verdict
from tests.certificates import broken

def verdicts(name, task, count):
  return collections.Counter(verdict.certify(model, task, effort=16).status
                             for model in broken.models(name, task, count))


@pytest.mark.parametrize('name, task', [
    ('E_J', 'serial_recall'), ('E_J', 'reverse_recall'), ('E_J-odd_recall', 'odd_recall')])
def test_broken_models(name, task):
  """`python -m tests.certificates.broken` goes through 200."""
  found = verdicts(name, task, 5)
  assert verdict.CERTIFIED not in found
  assert found[verdict.REFUTED] >= 4
