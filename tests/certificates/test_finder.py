"""The finder finds what the checker accepts, of machines built by hand, and gives up on others."""

import numpy as np
import pytest

from maes_jax.certificates import checker
from maes_jax.certificates import claims
from maes_jax.certificates import finder
from maes_jax.certificates.attention import Refused
from tests.certificates import machines

VARIANTS = machines.variants()


@pytest.mark.parametrize('name', VARIANTS)
def test_machines_built_by_hand_are_certified(name):
  claim, form = VARIANTS[name]
  machine = machines.recall(claim, **form)
  found = finder.find(machine.params, machine.says, 3e-4)
  assert checker.check(machine.params, found) > 4
  assert found['encoder']['moves'][1] == form.get('move', 1)


def test_a_machine_of_three_states_is_certified():
  """Exact equality of whole sequences, two bits a word."""
  machine = machines.latched()
  found = finder.find(machine.params, machine.says, 1e-3)
  assert len(found['solver']['hidden']) == 3
  assert checker.check(machine.params, found) > 10


def test_of_two_states_no_machine_can_be_certified_for_equality():
  """One box for all that differs would have to hold what only equal pairs lead to (XOR)."""
  machine = machines.latched()
  says = {**machine.says, 'claim': claims.CLAIMS['hard_equality'].packed(2)}
  with pytest.raises(Refused, match='may be wrong'):
    finder.find(machine.params, says, 1e-3)


@pytest.mark.parametrize('sharp, column, by, reason', [
    (2., -1, -30., 'attention'), (18., 0, -40., 'may be wrong')])
def test_what_does_not_hold_is_said(sharp, column, by, reason):
  machine = machines.recall(claims.CLAIMS['serial_recall'], sharp=sharp)
  machine.params['encoder']['interface']['bias'][column] += by
  with pytest.raises(Refused, match=reason):
    finder.find(machine.params, machine.says, 3e-4)


def test_random_parameters_are_not_certified():
  for seed in range(10):
    machine = machines.recall(claims.CLAIMS['serial_recall'], bits=2)
    random = np.random.default_rng(seed)
    params = machines.plain(
        machine.params, lambda leaf, random=random: random.normal(size=leaf.shape))
    with pytest.raises(Refused):
      finder.find(params, machine.says, 3e-4)
