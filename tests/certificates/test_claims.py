"""What is claimed of a task is held against what the task asks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import maes_jax
from maes_jax import tasks
from maes_jax.certificates import claims
from maes_jax.certificates import seals
from maes_jax.items import Bits
from maes_jax.tasks import episode
from maes_jax.tasks import manipulation

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
  with pytest.raises(maes_jax.UserError, match=r'asks something else|one bit') as error:
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


def whole(items, length):
  return tasks.Question(0 * items, items, tasks.within(length, len(items)))


def skipping_more(key, items, length):
  """Every other item, as the claim says, of as many as 13; of more only every fourteenth."""
  del key
  count = len(items)
  step = jnp.where(length > 13, 14, 2)
  about = jnp.minimum(step * jnp.arange(count), count - 1)
  return tasks.Question(0 * items, items[about], tasks.within(-(-length // step), count))


def ones_so_far(key, items, length):
  """Bit by bit, whether what was shown was always 1."""
  shown = Bits(2).draw(key, len(items))
  return tasks.Question(shown, jnp.cumprod(shown, 0), tasks.within(length, len(items)))


def running_or(key, items, length):
  del key
  return dataclasses.replace(whole(items, length), targets=jax.lax.cummax(items, axis=0))


def dim(key, items, length):
  del key
  return episode.two_phases(.4 * items, length, whole(items, length), length)


def with_bits_of_another_sequence(key, items, length):
  del key
  store, answer = episode.two_phases(items, length, whole(items, length), length, 4)
  return store, dataclasses.replace(answer, inputs=answer.inputs.at[1:, 3].set(1))


STORED = claims.Claim((0, 1, 0), lambda stored, shown: stored)


@pytest.mark.parametrize('ask, claim, more, said', [
    (skipping_more, dataclasses.replace(STORED, item=(0, 2, -1)), {}, 'something else'),
    (ones_so_far, claims.Claim((0, 1, 0), lambda stored, shown: shown > .5, shown=True,
                               latched=True), {}, 'answers of one bit'),
    (running_or, dataclasses.replace(STORED, answer=lambda stored, shown: (
        np.logical_or.accumulate(stored > .5, axis=-2))), {}, 'something else'),
    (dim, STORED, {}, 'something else'),
    (with_bits_of_another_sequence, STORED, {'sequences': 2}, 'something else')],
    ids=['later', 'several bits latched', 'along the sequence', 'no bits', 'control bits'])
def test_what_no_proof_would_be_about_is_refused(monkeypatch, ask, claim, more, said):
  """Each of these was certified for models that are wrong: nothing that is tried out may differ
  from what is proved."""
  task = tasks.Task('own', outputs=2, ask=ask, items=Bits(2), **more)
  monkeypatch.setitem(claims.CLAIMS, 'own', claim)
  with pytest.raises(maes_jax.UserError, match=said) as error:
    claims.get(task)
  assert '\n' not in str(error.value)


def test_another_task_of_a_known_name_is_refused():
  with pytest.raises(maes_jax.UserError, match='asks something else'):
    claims.get(manipulation.skip_recall(step=14))


def test_a_task_of_two_items_at_least(monkeypatch):
  task = tasks.Task('own', outputs=2, ask=lambda key, items, length: whole(items, length),
                    items=Bits(2), at_least=2)
  monkeypatch.setitem(claims.CLAIMS, 'own', STORED)
  assert claims.get(task) == STORED
