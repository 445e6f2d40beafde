"""What stands in padding changes nothing, not even NaN; no steps are as good a number as any."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import maes_jax
from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import families
from maes_jax import models
from maes_jax import phases
from maes_jax import tasks
from maes_jax.config import Config

LENGTHS = jnp.array([5, 3])


def batch(task, padding):
  """Two episodes of a task, of which the second has that in its padding."""
  episodes = tasks.sample_batch(tasks.get(task), jax.random.split(jax.random.key(0)), LENGTHS, 5)

  def padded(phase):
    there = jax.vmap(lambda steps, x: phases.within(steps, len(x)))(phase.steps, phase.inputs)
    return dataclasses.replace(phase, inputs=jnp.where(there[..., None], phase.inputs, padding))
  return episodes._replace(program=tuple(map(padded, episodes.program)))


def value_and_gradient(model, task, unroll):
  def loss(params, episodes):
    logits = model.answer_batch(params, {task: episodes}, 8, unroll)[task]
    return jnp.sum(jnp.where(episodes.mask[..., None], logits, 0)**2)
  return jax.jit(jax.value_and_grad(loss))


@pytest.mark.parametrize('unroll', [encoder_solver.unroll, encoder_solver.skipping],
                         ids=['all', 'skipping'])
@pytest.mark.parametrize('name, task', [
    *((name, 'serial_recall') for name in families.FAMILIES),
    ('maes', 'reverse_string'), ('gru', 'reverse_string')])
def test_nan_in_padding_is_as_good_as_zero(name, task, unroll):
  model = models.build(Config(model=name, task=(task,)))
  params = model.init(jax.random.key(1))
  compute = value_and_gradient(model, task, unroll)
  zeros, nans = (compute(params, batch(task, padding)) for padding in (0, np.nan))
  jax.tree.map(np.testing.assert_array_equal, zeros, nans)


@pytest.mark.parametrize('name', families.FAMILIES)
def test_no_steps_have_a_gradient_of_zero(name):
  cell = models.build(Config(model=name)).solvers['serial_recall']
  params = cell.init(jax.random.key(0), cell.initial_state(8), jnp.zeros(10))['params']

  def loss(params):
    _, steps = cell.unroll(params, cell.initial_state(8), jnp.zeros((0, 10)), 0, skip_padding=True)
    return steps.output.sum()
  assert not any(leaf.any() for leaf in jax.tree.leaves(jax.grad(loss)(params)))


@pytest.mark.parametrize('unroll', [encoder_solver.unroll, encoder_solver.skipping])
def test_a_batch_of_none(unroll):
  restored = maes_jax.load('E_J')
  none = jax.tree.map(lambda leaf: leaf[:0], batch('serial_recall', 0))
  answers = restored.model.answer_batch(restored.params, {'serial_recall': none}, 8, unroll)
  assert answers['serial_recall'].shape == (0, 6, 8)


def a_tester(task='serial_recall'):
  return evaluation.Tester(maes_jax.load('E_J').model, tasks.get(task), 20, 64, 4)


def test_a_phase_without_rows_is_tested():
  def ask(key, items, length):
    del key
    first, last = tasks.get('serial_recall').pose(
        items, length, tasks.Question(jnp.zeros_like(items), items,
                                      tasks.within(length, len(items))), length + 1)
    return first, phases.Phase(jnp.zeros((0, 10)), jnp.int32(0)), last
  of_three = dataclasses.replace(a_tester(), task=tasks.Task('serial_recall', 8, ask))
  counts = of_three.test(maes_jax.load('E_J').params, 20, batches=1)
  assert counts.bits_right == counts.bits == 640


@pytest.mark.parametrize('within', [
    lambda: jax.set_mesh(jax.make_mesh((1,), ('data',))), lambda: jax.debug_key_reuse(True)],
    ids=['a mesh of another', 'keys are watched'])
def test_tests_and_training_under_settings_of_the_caller(tmp_path, within):
  plain = a_tester().test(maes_jax.load('E_J').params, 20, batches=2)
  config = Config(max_iterations=100, validation_length=5, validation_memory=8, max_length=3)
  loss = maes_jax.train(config, tmp_path / 'plain', show_progress=False).loss
  with within():
    assert a_tester().test(maes_jax.load('E_J').params, 20, batches=2) == plain
    assert maes_jax.train(config, tmp_path / 'within', show_progress=False).loss == loss


def test_what_has_no_hash_is_refused_when_a_task_is_made():
  @dataclasses.dataclass
  class Ask:
    every: int = 1

    def __call__(self, key, items, length):
      raise NotImplementedError
  with pytest.raises(errors.UserError, match=r'ask of task .mine. cannot .*frozen=True'):
    tasks.Task('mine', 8, Ask())


@pytest.mark.parametrize('name', families.FAMILIES)
@pytest.mark.parametrize('way', [{}, {'skip_padding': True}, {'alone': True}], ids=str)
def test_more_steps_than_items_are_as_many_as_items(name, way):
  cell = models.build(Config(model=name)).solvers['serial_recall']
  state, inputs = cell.initial_state(8), jax.random.normal(jax.random.key(1), (3, 10))
  params = cell.init(jax.random.key(0), state, inputs[0])['params']
  run = jax.jit(lambda steps: cell.unroll(params, state, inputs, steps, **way))
  jax.tree.map(np.testing.assert_array_equal, run(5), run(3))


@pytest.mark.parametrize('steps', [-1, 4])
def test_a_phase_of_other_steps_than_it_has_items_is_refused(steps):
  def ask(key, items, length):
    stored, asked = tasks.get('serial_recall').about(items, length, items, length)
    return dataclasses.replace(stored, inputs=stored.inputs[:3], steps=steps), asked
  with pytest.raises(errors.UserError, match=f'with 3 items and steps={steps}; use 0 to 3'):
    tasks.dry_run(tasks.Task('mine', 8, ask), 5)
