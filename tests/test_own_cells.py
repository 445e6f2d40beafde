"""Tasks with more cells than an encoder and a solver, and with more sequences than one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import maes_jax
from maes_jax import encoder_solver
from maes_jax import evaluation
from maes_jax import models
from maes_jax import phases
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.tasks import dual


@pytest.fixture
def own(monkeypatch):
  """Registers a task that begins with a phase of some cell, for the time of the test."""
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))

  def register(**options):
    def ask(key, items, length):
      del key
      store = tasks.Phase(tasks.with_marker(task, items, 0), 1 + length)
      answer = tasks.Phase(tasks.with_marker(task, items, 1), 1 + length,
                           jnp.pad(items, ((1, 0), (0, 0))),
                           jnp.pad(tasks.within(length, len(items)), (1, 0)), cell=phases.SOLVER)
      given = {name: value(store) if callable(value) else value for name, value in options.items()}
      return dataclasses.replace(store, **given), answer
    task = tasks.register(tasks.Task('mine', 8, ask))
    return task
  return register


class TestCellsOfItsOwn:

  def test_a_model_has_a_cell_for_each_that_a_program_names(self):
    solvers = models.build(Config(task=('ignore', 'forget'))).solvers
    assert {name: cell.outputs for name, cell in solvers.items()} == {
        'ignore': 8, 'ignore/y_encoder': 0,
        'forget': 8, 'forget/y_encoder': 0, 'forget/y_solver': 8}

  def test_options_of_solvers_are_theirs_too(self):
    model = models.build(Config(task=('forget',), solver_shift_range=2, units=7))
    assert {cell.shift_range for cell in model.solvers.values()} == {2}
    assert {cell.units for cell in model.solvers.values()} == {7}

  def test_a_tied_model_has_one_cell(self):
    model = models.build(Config(model='ntm', task=('forget',)))
    assert model.solvers.keys() == {'forget'}
    models.walk(model, [tasks.get('forget')], [(4, 16)])

  def test_they_go_along_when_a_solver_is_asked_another_task(self):
    model = models.build(Config(task=('forget',)))
    asking = model.asking('forget', 'carry')
    assert asking.solvers.keys() == {'carry', 'carry/y_encoder', 'carry/y_solver'}
    params = encoder_solver.asked(models.parameters(model), 'forget', 'carry')
    assert params['solvers'].keys() == asking.solvers.keys()
    models.walk(asking, [tasks.get('carry')], [(4, 16)])

  def test_a_model_that_lacks_one_is_not_tested(self):
    model = models.build(Config(task=('ignore',))).asking('ignore', 'carry')
    with pytest.raises(maes_jax.UserError, match="no solver for task 'carry/y_solver'"):
      evaluation.Tester(model, tasks.get('carry'), 4, 16)

  @pytest.mark.parametrize('options, words', [
      ({'cell': '/'}, r"cell='/', .*; name a cell, e\.g\. '/second'"),
      ({'cell': ''}, "cell='', "),
      ({'cell': 'other/second'}, "no solver for task 'other/second'"),
      ({'cell': '/second', 'mask': lambda phase: phase.valid, 'again': True,
        'targets': lambda phase: phase.inputs[:, 2:]}, 'asked=True, again=True')])
  def test_wrong_names_get_one_line(self, own, options, words):
    task = own(**options)
    with pytest.raises(maes_jax.UserError, match=words) as error:
      models.walk(models.build(Config(task=('mine',))), [task], [(3, 8)])
    assert '\n' not in str(error.value)

  def test_a_tied_model_has_none_of_another_task(self, own):
    task = own(cell='other/second')
    with pytest.raises(maes_jax.UserError, match="no solver for task 'other/second'"):
      models.walk(models.build(Config(task=('mine',), model='lstm')), [task], [(3, 8)])

  def test_what_a_cell_of_its_own_stores_needs_no_address_of_the_encoder(self, own):
    task = own(cell='/second')
    models.walk(models.build(Config(task=('mine',))), [task], [(3, 3)])


class TestSequences:

  def test_cells_that_take_turns_read_the_bits_of_all_as_those_of_one(self):
    """# and % are both the first bit, $ and & the second, whoever is on duty."""
    model = models.build(Config(task=('forget', 'serial_recall')))
    assert model.inputs == 10
    marked = jnp.pad(jnp.eye(4), ((0, 0), (0, 8)))
    np.testing.assert_array_equal(
        model.read({}, marked), np.pad(np.eye(2)[[0, 1, 0, 1]], ((0, 0), (0, 8))))
    items = jnp.pad(jnp.ones((3, 8)), ((0, 0), (4, 0)))
    np.testing.assert_array_equal(model.read({}, items), items[:, 2:])
    np.testing.assert_array_equal(model.read({}, items[:, 2:]), items[:, 2:])

  def test_a_tied_model_reads_them_all(self):
    model = models.build(Config(model='ntm', task=('forget',)))
    assert model.inputs == 12
    items = jnp.ones((3, 12))
    np.testing.assert_array_equal(model.read({}, items), items)

  def test_a_model_of_one_sequence_reads_no_items_that_are_wider(self):
    model = models.build(Config())
    assert model.read({}, jnp.ones((3, 12))).shape == (3, 12)

  def test_tasks_of_other_numbers_go_together_where_cells_take_turns(self):
    models.build(Config(task=('serial_recall', 'carry')))
    with pytest.raises(maes_jax.UserError, match=r"'serial_recall' and 'carry' store .* with 4"):
      models.build(Config(task=('serial_recall', 'carry'), model='lstm'))


def silent(params):
  """A cell that writes nothing, whatever it reads."""
  params = jax.tree.map(jnp.zeros_like, params)
  params['interface']['bias'] = params['interface']['bias'].at[:20].set(-100)
  return params


def test_who_is_interrupted_returns_for_nothing():
  """E_J and its solver of Serial Recall, which never saw an interruption, recall all x."""
  shipped = maes_jax.load('E_J')
  model = models.build(Config(task=('ignore',), **{
      name: getattr(shipped.model.encoder, name) for name in ('width', 'units')}))
  y_encoder = silent(model.init(jax.random.key(0))['solvers']['ignore/y_encoder'])
  params = {'encoder': shipped.params['encoder'], 'solvers': {
      'ignore': shipped.params['solvers']['serial_recall'], 'ignore/y_encoder': y_encoder}}
  tester = evaluation.Tester(model, dual.ignore(cuts=dual.Cuts(6)), 60, 128, batch_size=8)
  counts = tester.test(params, 60, batches=1)
  assert counts.sequences_right == counts.sequences == 8


@pytest.mark.slow
def test_a_run_on_a_frozen_encoder_is_saved_and_comes_back(tmp_path):
  """All cells of a task train, the encoder does not, and a checkpoint has them all."""
  config = Config(task=('forget',), encoder='E_J', min_length=1, max_length=3, memory=9,
                  max_iterations=100, validation_length=3, validation_memory=9, hold=0, grow=0,
                  start_min_length=1, start_length=1)
  maes_jax.train(config, tmp_path / 'run')
  trained = maes_jax.load(tmp_path / 'run')
  cells = {'forget', 'forget/y_encoder', 'forget/y_solver'}
  assert trained.params['solvers'].keys() == cells
  jax.tree.map(np.testing.assert_array_equal, trained.params['encoder'],
               maes_jax.load('E_J').params['encoder'])
  first = trained.model.init(jax.random.key(0))['solvers']
  for name in cells:
    assert not np.array_equal(first[name]['hidden']['kernel'],
                              trained.params['solvers'][name]['hidden']['kernel'])
  counts = maes_jax.Tester(trained.model, tasks.get('forget'), 3, 9, batch_size=4).test(
      trained.params, 3, batches=1)
  assert counts.items == 4 * 6
  recording = maes_jax.record(trained.model, trained.params, tasks.get('forget'), 3, 9)
  assert recording.asked.sum() == 6 and not recording.solves[0]
  with pytest.raises(maes_jax.UserError, match='a program of its own'):
    trained.answer(np.zeros((3, 8)))
