"""Counting right answers, by hand and for models that are always or never right."""

import dataclasses
import pickle
import types
from typing import NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import devices
from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import items
from maes_jax import models
from maes_jax import tasks
from maes_jax import windowed
from maes_jax.cells import base
from tests import two_phases


class State(NamedTuple):
  """The least that a window can follow."""
  memory: jax.Array  # [1, N]
  attention: jax.Array  # [N]


class Copy(base.Cell):
  """A cell without parameters whose attention stays and whose answers mean nothing."""

  @property
  def reach(self):
    return None

  def initial_state(self, addresses):
    return State(jnp.zeros((1, addresses)), jax.nn.one_hot(0, addresses))

  @nn.compact
  def __call__(self, state_tm1, x_t):
    nothing = self.param('nothing', nn.initializers.zeros_init(), (1,))
    output_t = jnp.tile(nothing, self.outputs) if self.outputs else None
    return state_tm1, base.Step(output_t, read=None, write=None)


@dataclasses.dataclass(frozen=True)
class Knowing(encoder_solver.Model):
  """A stand-in for a model that answers `sign` times the truth."""
  sign: int = 1
  asked: list = dataclasses.field(default_factory=list, compare=False)

  def answer_batch(self, params, episodes, addresses, unroll=encoder_solver.unroll):
    del params, unroll
    (name, batch), = episodes.items()
    self.asked.append((name, addresses, two_phases.main(batch).shape))
    return {name: self.sign * (2 * batch.targets - 1)}


def knowing(sign, cell=Copy, kind=Knowing):
  solvers = {name: cell(task.outputs) for name, task in tasks.TASKS.items()}
  return kind(cell(), solvers, sign=sign)


def make(model, task='serial_recall', **options):
  settings = {'max_length': 3, 'addresses': 8, 'batch_size': 4, **options}
  return evaluation.Tester(model, tasks.get(task), **settings)


def test_counts_by_hand():
  """Sequence 0 is right in all 4 bits and 2 items that count; sequence 1 in 1 bit of 1 item."""
  logits = jnp.array([[[1., -1.], [-.1, 2.], [-9., -9.]], [[1., 1.], [9., 9.], [9., 9.]]])
  targets = jnp.array([[[1., 0.], [0., 1.], [1., 1.]], [[1., 0.], [1., 1.], [0., 0.]]])
  mask = jnp.array([[True, True, False], [True, False, False]])
  counts = evaluation.count(logits, targets, mask, items.Bits(2))
  assert [part.tolist() for part in counts] == [
      [4, 2], [4, 1], [2, 1], [2, 0], [1, 1], [1, 0]]
  assert counts.total() == evaluation.Counts(
      units=6, units_right=5, items=3, items_right=2, sequences=2, sequences_right=1)
  assert (counts.total().bits, counts.total().bits_right) == (6, 5)


def test_more_bits_than_32_count():
  """Three sequences of 2^30 bits: 32 bits would have them wrap to a negative number."""
  many, ones = np.full((2, 3), 2**30, np.int32), np.ones((2, 3), np.int32)
  counts = evaluation.Counts(many, many, ones, ones, ones, ones).total()
  assert counts.bits.tolist() == counts.bits_right.tolist() == [3 * 2**30] * 2


def test_undecided_counts_as_0():
  logits, mask = jnp.zeros((1, 2, 1)), jnp.ones((1, 2), bool)
  counts = evaluation.count(logits, jnp.array([[[1.], [0.]]]), mask, items.Bits(1))
  assert counts.bits_right.tolist() == [1]


@pytest.mark.parametrize('task, bits, answers', [
    ('serial_recall', 3 * 8, 3), ('reverse_recall', 3 * 8, 3), ('odd_recall', 2 * 8, 2),
    ('sequence_comparison', 3, 3), ('sequence_equality', 1, 1), ('hard_equality', 1, 1)])
def test_always_right(task, bits, answers):
  """5 batches of 4 sequences of length 3."""
  always = make(knowing(1), task).test({}, 3, batches=5)
  assert always == (20 * bits, 20 * bits, 20 * answers, 20 * answers, 20, 20)


def test_sequences_in_which_nothing_is_asked_are_not_counted():
  logits, mask = jnp.ones((3, 2, 1)), jnp.array([[True, True], [False, True], [False, False]])
  counts = evaluation.count(logits, jnp.array([[[1.], [1.]], [[0.], [0.]], [[1.], [1.]]]), mask,
                            items.Bits(1))
  assert (counts.sequences.tolist(), counts.sequences_right.tolist()) == ([1, 1, 0], [1, 0, 0])


def test_a_length_at_which_nothing_is_asked_is_refused():
  ask = lambda key, stored, length: tasks.Question(
      0 * stored, stored, tasks.within(length - 2, len(stored)))
  tester = evaluation.Tester(
      knowing(1), tasks.Task('serial_recall', 8, ask), max_length=3, addresses=8, batch_size=4)
  assert tester.test({}, 3, batches=2).sequences == 8
  with pytest.raises(errors.UserError, match='asks nothing about sequences of 2 items'):
    tester.test({}, 2, batches=2)


def test_no_devices_are_none_to_test_on():
  assert len(dataclasses.replace(make(knowing(1)), devices=np.array(jax.devices())).devices)
  with pytest.raises(errors.UserError, match='devices are none; leave them out') as error:
    dataclasses.replace(make(knowing(1)), devices=[])
  assert '\n' not in str(error.value)


def test_numbers_of_no_model_are_refused_in_words():
  tester = make(encoder_solver.Model(Copy(), {'serial_recall': Copy(8)}))
  encoder = {'encoder': {'nothing': jnp.zeros(1)}}
  for params in ({}, encoder, {**encoder, 'solvers': {}}):
    with pytest.raises(errors.UserError, match=r"the parameters have .* no '.*'; give") as error:
      tester.test(params, 3, batches=1)
    assert '\n' not in str(error.value)


def test_parameters_of_a_population_or_of_another_model_are_refused_in_words():
  tester = make(encoder_solver.Model(Copy(), {'serial_recall': Copy(8)}))
  params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), models.parameters(tester.model))
  population = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf, leaf]), params)
  line = r"the parameters\['encoder'\]\['nothing'\] are \[3, 1\] and this model has \[1\]; of a p"
  with pytest.raises(errors.UserError, match=line):
    tester.test(population, 3, batches=1)
  with pytest.raises(errors.UserError, match=r'are \[2\] and .*; give those of such a model'):
    tester.test(jax.tree.map(lambda leaf: jnp.zeros(2), params), 3, batches=1)


def test_always_wrong():
  assert make(knowing(-1)).test({}, 3, batches=5) == (20 * 24, 0, 20 * 3, 0, 20, 0)


def test_one_program_serves_every_length():
  """Padded to 9 items; a curve counts 4 sequences of 8 bits an item at each length."""
  model = knowing(1)
  curve = make(model, max_length=9, addresses=16).curve({}, [1, 5, 9])
  assert {length: counts.bits for length, counts in curve.items()} == {1: 32, 5: 160, 9: 288}
  assert all(counts.bits_right == counts.bits for counts in curve.values())
  assert model.asked == [('serial_recall', 16, (4, 10, 10))]


class Ones(Knowing):
  """Answers 1 always; how often that is right is a fingerprint of the data."""

  def answer_batch(self, params, episodes, addresses, unroll=encoder_solver.unroll):
    return {name: jnp.ones_like(batch.targets) for name, batch in episodes.items()}


class Short(Copy):
  """A cell that a window can follow."""

  @property
  def reach(self):
    return 1


@pytest.mark.parametrize('step, right', [(9, 80 * 8), (5, 80 * 8), (4, 0)])
def test_the_window_may_be_lost_after_the_last_answer(monkeypatch, step, right):
  """Of 9 items every other one is recalled, in steps 1 to 5.

  Through a window that is exact up to a step all answers are right, through the whole memory none.
  """
  def unroll(cell, params, state, inputs, steps, size):
    del params, steps, size
    answers = jnp.ones((len(inputs), cell.outputs))
    exact = (jnp.arange(len(inputs)) <= step) | (cell.outputs == 0)
    return state, windowed.Step(answers, exact)

  def ask(key, items, length):
    question = tasks.get('odd_recall').ask(key, items, length)
    return dataclasses.replace(question, targets=jnp.ones_like(question.targets))

  monkeypatch.setattr(windowed, 'unroll', unroll)
  task = tasks.Task('odd_recall', 8, ask)
  tester = evaluation.Tester(knowing(-1, Short), task, max_length=9, addresses=64, batch_size=4)
  counts = tester.test({'encoder': {}, 'solvers': {'odd_recall': {}}}, 9, batches=4)
  assert (counts.bits, counts.bits_right) == (80 * 8, right)


@pytest.mark.parametrize('exact, tried', [
    ([True] * 8, 8), ([False] * 8, 2), ([True, True, False, False, True, False, True, True], 8),
    ([True, False, False, False, True, True, True, True], 4)])
def test_a_window_that_is_mostly_in_vain_is_not_opened_again(exact, tried):
  """All batches are counted all the same, each once."""
  of_window = iter(exact)
  through = lambda params, length, drawn: (
      evaluation.Counts(*np.ones((6, 4), int)), np.array([next(of_window)] * 4))
  tester = make(knowing(1), addresses=64)
  tester.__dict__['_through_windows'] = {16: through}
  assert tester.test({}, 3, batches=8).sequences == 8 * 4
  assert len([*of_window]) == 8 - tried


def test_batches_are_different_and_the_same_next_time():
  ones = make(knowing(1, kind=Ones))
  five, again, other = (ones.test({}, 3, batches=5, seed=seed) for seed in (0, 0, 1))
  assert five == again
  assert five != other
  assert five.bits_right != 5 * ones.test({}, 3, batches=1).bits_right
  assert abs(five.bits_right / five.bits - 1 / 2) < 5 * np.sqrt(1 / 4 / five.bits)


def test_many_batches_at_a_time_count_the_same(monkeypatch):
  """As an accelerator takes them; the last are fewer."""
  one_by_one = make(knowing(1, kind=Ones)).test({}, 3, batches=5)
  monkeypatch.setattr(evaluation.Tester, '_at_once', 3)
  assert make(knowing(1, kind=Ones)).test({}, 3, batches=5) == one_by_one


@pytest.mark.parametrize('platform, addresses, least, most', [
    ('cpu', 64, 1, 1), ('gpu', 64, 1000, 2**20), ('gpu', 2**25, 1, 1)])
def test_an_accelerator_takes_as_many_as_there_is_room_for(platform, addresses, least, most):
  tester = make(knowing(1))
  card = types.SimpleNamespace(platform=platform, process_index=0, memory_stats=dict)
  object.__setattr__(tester, 'devices', [card])
  object.__setattr__(tester, 'addresses', addresses)
  assert least <= tester._at_once <= most


def test_a_tester_can_be_sent_to_another_process():
  tester = make(knowing(1))
  tester.test({}, 3, batches=1)  # What it compiled stays behind.
  copy = pickle.loads(pickle.dumps(tester))
  assert copy == tester
  assert copy.test({}, 3, batches=1) == tester.test({}, 3, batches=1)


def test_devices_of_another_process(monkeypatch):
  """A tester of devices 0 to 3 comes to where there are 0 and 1, or none of its own."""
  there = [types.SimpleNamespace(id=i, process_index=0, platform='cpu') for i in range(4)]
  sent = pickle.dumps(dataclasses.replace(make(knowing(1)), devices=there[:3]))
  monkeypatch.setattr(devices, 'first', lambda count=None: there[:2][:count])
  assert pickle.loads(sent).devices == there[:2]
  monkeypatch.setattr(devices, 'first', lambda count=None: there[3:][:count])
  assert pickle.loads(sent).devices == there[3:]


@pytest.mark.parametrize('right, total, low, high', [
    # (alpha/2)^(1/n) and its mirror image where nothing or all is right.
    (0, 10, 0, 1 - .025**.1),
    (10, 10, .025**.1, 1),
    (3200, 3200, .025**(1 / 3200), 1),
    # Clopper and Pearson (1934), the usual tables.
    (5, 10, .1871, .8129),
    (1, 20, .0013, .2487),
])
def test_interval(right, total, low, high):
  np.testing.assert_allclose(evaluation.interval(right, total), (low, high), atol=5e-5)


@pytest.mark.parametrize('right, total', [(0, 0), (3, 2), (-1, 2)])
def test_an_interval_of_no_share_is_refused(right, total):
  with pytest.raises(errors.UserError, match=f'{right} of {total} is no share'):
    evaluation.interval(right, total)


def test_an_interval_of_counts_of_any_kind():
  wanted = evaluation.interval(3, 5)
  assert wanted == evaluation.interval(np.int64(3), np.int32(5))
  assert wanted == evaluation.interval(jnp.int32(3), jnp.int32(5))
