"""Models that were broken on purpose are not certified, and most are refuted by a sequence."""

import collections

import pytest

from maes_jax.certificates import verdict
from tests.certificates import broken

KINDS = (('E_J', 'serial_recall', 60), ('E_J', 'reverse_recall', 60),
         ('E_J-odd_recall', 'odd_recall', 60),
         ('E_J-sequence_comparison', 'sequence_comparison', 20))


def verdicts(name, task, count):
  return collections.Counter(verdict.certify(model, task, effort=16).status
                             for model in broken.models(name, task, count))


@pytest.mark.parametrize('name, task', [kind[:2] for kind in KINDS[:3]])
def test_10_broken_models(name, task):
  found = verdicts(name, task, 10)
  assert verdict.CERTIFIED not in found
  assert found[verdict.REFUTED] >= 8


@pytest.mark.slow
def test_200_broken_models():
  found = sum((verdicts(*kind) for kind in KINDS), collections.Counter())
  assert found.total() == 200
  assert verdict.CERTIFIED not in found
  assert found[verdict.REFUTED] >= 150
