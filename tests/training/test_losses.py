"""Cross-entropy against numbers worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import evaluation
from maes_jax import items
from maes_jax import tasks
from maes_jax.tasks import recall
from maes_jax.training import losses
from tests import two_phases

# sigmoid(ln 3) = 3/4: the right bit costs -ln 3/4, the wrong one -ln 1/4.
LN3 = np.log(3.)
RIGHT, WRONG = np.log(4 / 3), np.log(4.)


def cross_entropy(logits, targets, mask):
  logits, targets, mask = map(jnp.array, (logits, targets, mask))
  return losses.masked_mean(logits, targets, mask, items.Bits(targets.shape[-1]))


def test_undecided_costs_ln_2():
  np.testing.assert_allclose(cross_entropy([[0.]], [[1.]], [True]), np.log(2), rtol=1e-6)


def test_where_nothing_is_asked_there_is_no_loss_and_no_gradient():
  nothing = lambda logits: cross_entropy(logits, [[1.]], [False])
  loss, slope = jax.value_and_grad(nothing)(jnp.ones((1, 1)))
  assert loss == 0 and not slope.any()


def test_mean_over_bits_of_counted_steps():
  """Counted: right, wrong (step 0) and right, right (step 2). Step 1 does not count."""
  loss = cross_entropy(
      [[LN3, LN3], [9., -9.], [-LN3, LN3]], [[1., 0.], [0., 1.], [0., 1.]], [True, False, True])
  np.testing.assert_allclose(loss, (3 * RIGHT + WRONG) / 4, rtol=1e-6)


def test_every_bit_of_a_batch_weighs_the_same():
  """Three bits of one sequence and one of another: a mean over bits, not over sequences."""
  loss = cross_entropy(
      [[[LN3], [LN3], [LN3]], [[LN3], [0.], [0.]]], [[[1.], [1.], [1.]], [[0.], [0.], [0.]]],
      [[True, True, True], [True, False, False]])
  np.testing.assert_allclose(loss, (3 * RIGHT + WRONG) / 4, rtol=1e-6)


@pytest.mark.parametrize('logit', [1e4, -1e4, jnp.inf])
def test_what_does_not_count_has_no_gradient(logit):
  targets, mask = jnp.ones((2, 1)), jnp.array([True, False])
  gradient = jax.grad(losses.masked_mean)(
      jnp.array([[0.], [logit]]), targets, mask, items.Bits(1))
  np.testing.assert_allclose(gradient, [[-.5], [0.]])


def test_sure_and_wrong_is_finite():
  """Computed from logits, the cost of 1,000 is 1,000; from probabilities it would be infinite."""
  np.testing.assert_allclose(cross_entropy([[1000.]], [[0.]], [True]), 1000.)


def test_tasks_add_by_weight(monkeypatch):
  """3/4 of the right task's loss and 1/4 of the wrong one's, whatever their numbers of bits."""
  def batch(bits):
    return two_phases.of(
        jnp.zeros((2, 1, 10)), jnp.zeros((2, 1, 10)), jnp.ones((2, 1, bits)),
        jnp.ones((2, 1), bool), length=jnp.zeros(2, int))

  monkeypatch.setattr(tasks, 'TASKS', {
      name: tasks.Task(name, bits, lambda *unused: None)
      for name, bits in (('one', 8), ('other', 1))})
  logits = {'one': jnp.full((2, 1, 8), LN3), 'other': jnp.full((2, 1, 1), -LN3)}
  total = losses.loss(logits, {'one': batch(8), 'other': batch(1)}, {'one': .75, 'other': .25})
  np.testing.assert_allclose(total, .75 * RIGHT + .25 * WRONG, rtol=1e-6)


@pytest.mark.parametrize('nothing', [np.nan, np.inf])
def test_targets_where_no_answer_counts_may_be_anything(nothing):
  targets, mask = jnp.array([[[1.], [nothing]]]), jnp.array([[True, False]])
  mean = lambda logits: losses.masked_mean(logits, targets, mask, items.Bits(1))
  found, gradient = jax.value_and_grad(mean)(jnp.zeros((1, 2, 1)))
  np.testing.assert_allclose(found, np.log(2), rtol=1e-6)
  np.testing.assert_allclose(gradient.ravel(), [-.5, 0])


def test_a_loss_of_ones_own_has_no_slope_where_nothing_counts():
  """A target of zeros stands there, of which a cosine has no derivative that is a number."""
  class Cosine(items.Vectors):
    def losses(self, outputs, targets):
      size = lambda vectors: jnp.linalg.norm(vectors, axis=-1, keepdims=True)
      return 1 - jnp.sum(outputs * targets, -1, keepdims=True) / (size(outputs) * size(targets))
  mask, ones = jnp.array([True, False]), jnp.ones((2, 3))
  loss = lambda outputs: losses.masked_mean(outputs, ones, mask, Cosine(3))
  slope = jax.grad(loss)(jnp.array([[1., 2., 3.], [0., 0., 0.]]))
  assert jnp.isfinite(slope).all()
  assert slope[0].any() and not slope[1].any()


@pytest.mark.parametrize('shape', [(), (2, 5), (1, 5, 1), (2, 5, 1, 1)])
def test_a_loss_of_ones_own_is_refused_that_is_not_by_unit(shape):
  """It would be spread over answers that do not count, and be another number."""
  class Own(items.Vectors):
    def losses(self, outputs, targets):
      return jnp.zeros(shape)
  outputs, mask = jnp.ones((2, 5, 3)), jnp.ones((2, 5), bool)
  with pytest.raises(errors.UserError, match=r'must give one number for each unit, \[2, 5, U\]'):
    losses.masked_mean(outputs, outputs, mask, Own(3))
  task = tasks.Task('of_own', 3, recall.serial, items=Own(3), answers=Own(3))
  with pytest.raises(errors.UserError, match="losses of the answers of task 'of_own' gives"):
    tasks.dry_run(task, 5)


def test_what_is_right_is_refused_that_is_not_by_unit():
  class Own(items.Vectors):
    def right(self, outputs, targets):
      return jnp.all(outputs == targets)
  outputs, mask = jnp.ones((2, 5, 3)), jnp.ones((2, 5), bool)
  with pytest.raises(errors.UserError, match='what is right gives'):
    evaluation.count(outputs, outputs, mask, Own(3))
  task = tasks.Task('of_own', 3, recall.serial, items=Own(3), answers=Own(3))
  with pytest.raises(errors.UserError, match="right of the answers of task 'of_own' gives"):
    tasks.dry_run(task, 5)
