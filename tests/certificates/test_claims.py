"""What is claimed of a task is held against what the task asks."""

import dataclasses

import numpy as np
import pytest

import maes_jax
from maes_jax.certificates import claims
from maes_jax.certificates import seals
from maes_jax.items import Bits

CLAIMS = {name: claim for name, claim in claims.CLAIMS.items() if name != 'hard_equality'}
WRONG = {
    'serial_recall': {'item': (0, 1, 1)}, 'reverse_recall': {'start': 'restart'},
    'odd_recall': {'item': (0, 2, 0)}, 'sequence_comparison': {'latched': True},
    'sequence_equality': {'latched': False}, 'prefix_equality': {'latched': False},
    'repeat_serial': {'times': 4}, 'skip_recall': {'item': (0, 1, 0)},
    'spatial_not': {'answer': claims._stored},
    'spatial_rotation': {'answer': claims._stored}, 'sequence_symmetry': {'start': 'restart'}}


@pytest.mark.parametrize('name', CLAIMS)
def test_shipped_claims_are_what_the_tasks_ask(name):
  assert claims.get(maes_jax.tasks.get(name)) == CLAIMS[name]


@pytest.mark.parametrize('name', CLAIMS)
@pytest.mark.parametrize('change', [
    None, {'shown': 'other'}, {'answer': lambda stored, shown: 1 - stored},
    {'item': (1, -1, 0)}, {'start': 'resume'}],
    ids=['its own', 'shown', 'answer', 'item', 'start'])
def test_a_wrong_claim_is_refused(monkeypatch, name, change):
  claim = CLAIMS[name]
  if name == 'spatial_not' and change and 'answer' in change:
    pytest.skip('that is its own answer')
  change = WRONG[name] if change is None else change
  if change.get('shown') == 'other':
    if not claim.shown:
      pytest.skip('what is shown is empty: to claim more is no lie')
    change = {'shown': False}
  monkeypatch.setitem(claims.CLAIMS, name, dataclasses.replace(claim, **change))
  with pytest.raises(maes_jax.UserError, match='asks something else') as error:
    claims.get(maes_jax.tasks.get(name))
  assert '\n' not in str(error.value)


def test_a_task_that_nothing_is_claimed_about():
  task = dataclasses.replace(maes_jax.tasks.get('serial_recall'), name='own')
  with pytest.raises(maes_jax.UserError, match='nothing is claimed') as error:
    claims.get(task)
  assert '\n' not in str(error.value)


def test_words_too_wide_to_go_through():
  task = dataclasses.replace(maes_jax.tasks.get('serial_recall'), outputs=11, items=Bits(11),
                             answers=Bits(11))
  with pytest.raises(maes_jax.UserError, match='at most 10') as error:
    claims.get(task)
  assert '\n' not in str(error.value)


def test_a_name_is_taken_once():
  with pytest.raises(maes_jax.UserError):
    claims.register('serial_recall', CLAIMS['serial_recall'])
  assert claims.CLAIMS['serial_recall'] is CLAIMS['serial_recall']


def test_answers_are_held_together_as_a_machine_of_states():
  """State 1 once a pair differs: then no answer is 1 any more, whatever comes."""
  packed = claims.CLAIMS['hard_equality'].packed(2)
  right, after = (seals.unpacked(packed[name]) for name in ('right', 'after'))
  np.testing.assert_array_equal(right[0, ..., 0], np.eye(4))
  np.testing.assert_array_equal(after[0], 1 - np.eye(4))
  assert not right[1].any()
  assert (after[1] == 1).all()
  rng = np.random.default_rng(0)
  for _ in range(50):
    stored, shown = rng.integers(0, 2, (2, 6, 1))
    state, answers = 0, []
    for p, a in zip(stored[:, 0], shown[:, 0]):
      answers.append(right[state, a, p, 0])
      state = after[state, a, p]
    np.testing.assert_array_equal(
        claims.CLAIMS['hard_equality'].right(stored, shown)[:, 0], answers)
