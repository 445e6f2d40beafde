"""Counting right answers, by hand and for models that are always or never right."""

import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import evaluation
from maes_jax import tasks
from maes_jax import windowed
from maes_jax.cells import base


class Knowing:
  """A stand-in for a model that answers `sign` times the truth."""
  encoder = solver = base.Cell()

  def __init__(self, sign):
    self.sign, self.asked = sign, []

  @property
  def solvers(self):
    return dict.fromkeys(tasks.TASKS, self.solver)

  def answer_batch(self, params, episodes, addresses, *unroll):
    del params, unroll
    (name, batch), = episodes.items()
    self.asked.append((name, addresses, batch.main.shape))
    return {name: self.sign * (2 * batch.targets - 1)}


def make(model, task='serial_recall', **options):
  settings = {'max_length': 3, 'addresses': 8, 'batch_size': 4, **options}
  return evaluation.Tester(model, tasks.get(task), **settings)


def test_counts_by_hand():
  """Sequence 0 is right in all 4 bits that count; sequence 1 in 1 of 2."""
  logits = jnp.array([[[1., -1.], [-.1, 2.], [-9., -9.]], [[1., 1.], [9., 9.], [9., 9.]]])
  targets = jnp.array([[[1., 0.], [0., 1.], [1., 1.]], [[1., 0.], [1., 1.], [0., 0.]]])
  mask = jnp.array([[True, True, False], [True, False, False]])
  counts = evaluation.count(logits, targets, mask)
  assert counts == evaluation.Counts(bits=6, bits_right=5, sequences=2, sequences_right=1)


def test_undecided_counts_as_0():
  logits, mask = jnp.zeros((1, 2, 1)), jnp.ones((1, 2), bool)
  counts = evaluation.count(logits, jnp.array([[[1.], [0.]]]), mask)
  assert counts.bits_right == 1


@pytest.mark.parametrize('task, bits', [
    ('serial_recall', 3 * 8), ('reverse_recall', 3 * 8), ('odd_recall', 2 * 8),
    ('sequence_comparison', 3), ('sequence_equality', 1), ('hard_equality', 1)])
def test_always_right(task, bits):
  """5 batches of 4 sequences of length 3."""
  always = make(Knowing(1), task).test({}, 3, batches=5)
  assert always == (20 * bits, 20 * bits, 20, 20)


def test_always_wrong():
  assert make(Knowing(-1)).test({}, 3, batches=5) == (20 * 24, 0, 20, 0)


def test_one_program_serves_every_length():
  """Padded to 9 items; a curve counts 4 sequences of 8 bits an item at each length."""
  model = Knowing(1)
  curve = make(model, max_length=9, addresses=16).curve({}, [1, 5, 9])
  assert {length: counts.bits for length, counts in curve.items()} == {1: 32, 5: 160, 9: 288}
  assert all(counts.bits_right == counts.bits for counts in curve.values())
  assert model.asked == [('serial_recall', 16, (4, 10, 10))]


class Ones(Knowing):
  """Answers 1 always; how often that is right is a fingerprint of the data."""

  def answer_batch(self, params, episodes, *rest):
    return {name: jnp.ones_like(batch.targets) for name, batch in episodes.items()}


class Short(base.Cell):
  """A cell that a window can follow."""

  @property
  def reach(self):
    return 1


class Lost(Knowing):
  """Knows every answer through the window up to a step, and none through the whole memory."""
  encoder = solver = Short()

  def answer_batch(self, params, episodes, addresses, unroll):
    (name, batch), = episodes.items()
    if unroll is not windowed.unroll:
      return {name: 1 - 2 * batch.targets}
    lost = jnp.arange(batch.targets.shape[1]) > self.sign
    return {name: jnp.where(lost[:, None], jnp.nan, 2 * batch.targets - 1)}


@pytest.mark.parametrize('step, right', [(9, 80 * 8), (5, 80 * 8), (4, 0)])
def test_the_window_may_be_lost_after_the_last_answer(step, right):
  """Of 9 items every other one is recalled, in steps 1 to 5."""
  counts = make(Lost(step), 'odd_recall', max_length=9, addresses=64).test({}, 9, batches=4)
  assert (counts.bits, counts.bits_right) == (80 * 8, right)


def test_batches_are_different_and_the_same_next_time():
  ones = make(Ones(1))
  five, again, other = (ones.test({}, 3, batches=5, seed=seed) for seed in (0, 0, 1))
  assert five == again
  assert five != other
  assert five.bits_right != 5 * ones.test({}, 3, batches=1).bits_right
  assert abs(five.bits_right / five.bits - 1 / 2) < 5 * np.sqrt(1 / 4 / five.bits)


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
