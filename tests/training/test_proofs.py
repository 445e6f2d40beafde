"""Training until proved."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import maes_jax
from maes_jax import errors
from maes_jax import families
from maes_jax import tasks
from maes_jax.certificates import verdict
from maes_jax.config import Config
from maes_jax.training import metrics
from maes_jax.training import proofs
from maes_jax.training import run
from maes_jax.training.trainer import Trainer

TASKS = ('serial_recall', 'reverse_recall')


@pytest.fixture(scope='module')
def population():
  """Of a shipped model: itself, with one weight of the solver of Reverse Recall off, and itself."""
  loaded = maes_jax.load('E_J')
  broken = jax.tree.map(np.array, loaded.params)
  broken['solvers']['reverse_recall']['output']['bias'][3] += 30.
  config = dataclasses.replace(loaded.config, stop_on='certified', stop_loss=1e-5)
  stack = lambda *leaves: np.stack(leaves)
  params = jax.tree.map(stack, loaded.params, broken, loaded.params)
  trainer = Trainer(config, loaded.model)
  return trainer, jax.device_get(Trainer(dataclasses.replace(config, seeds=3), loaded.model).init(
  ))._replace(params=params, loss=np.array([1e-6, 1e-6, .5]))


def test_says_of_each_task_what_is_open(population):
  """The third model's loss is still too large for a proof to be worth the time."""
  trainer, state = population
  looked = proofs.look(trainer, state, np.ones(3, bool))
  np.testing.assert_array_equal(looked.certified, [True, False, False])
  assert looked.still_open[0] == dict.fromkeys(TASKS, '')
  assert looked.still_open[1]['serial_recall'] == ''
  assert 'an answer may be wrong' in looked.still_open[1]['reverse_recall']
  assert 2 not in looked.still_open


def test_looks_only_where_it_is_due_and_asked_for(population):
  trainer, state = population
  assert not proofs.look(trainer, state, np.zeros(3, bool)).still_open
  other = dataclasses.replace(trainer, config=dataclasses.replace(
      trainer.config, stop_on='training'))
  looked = proofs.look(other, state, np.ones(3, bool))
  assert not looked.still_open
  assert not looked.certified.any()


@pytest.mark.slow
def test_a_run_ends_when_its_model_is_proved_right(tmp_path):
  config = Config(task=('serial_recall',), stop_on='certified', validate_every=100, seed=3,
                  max_iterations=6000)
  state = run.train(config, tmp_path / 'run')
  assert state.converged[0] == state.iteration[0] < 6000
  trained = maes_jax.load(tmp_path / 'run')
  assert maes_jax.certify(trained, effort=0).status == verdict.CERTIFIED
  said = [row for row in metrics.read(tmp_path / 'run/metrics.jsonl')
          if 'certified/serial_recall' in row]
  assert [row['certified/serial_recall'] for row in said] == [0] * (len(said) - 1) + [1]
  assert all(row['still_open/serial_recall'] for row in said[:-1])
  assert 'still_open/serial_recall' not in said[-1]
  assert json.dumps(said)


@pytest.mark.parametrize('changes, line', [
    ({'model': 'ntm'}, 'no proof is known for Ntm'),
    ({'cell': {'head': 'content'}}, "no proof is known for Maes with head 'content'"),
    ({'cell': {'blind': True}}, 'no proof is known for a cell with blind'),
    ({'solver': {'overwrite': True}}, 'no proof is known for a cell with overwrite'),
])
def test_where_no_proof_is_known_nothing_is_begun(tmp_path, changes, line):
  config = Config(task=('serial_recall',), stop_on='certified', **changes)
  with pytest.raises(errors.UserError, match=line):
    run.train(config, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_a_task_without_a_claim_cannot_be_trained_until_proved(tmp_path):
  task = tasks.register(tasks.Task('unclaimed', outputs=8, ask=tasks.get('serial_recall').ask))
  try:
    config = families.resolve(Config(task=(task.name,), stop_on='certified'))
    with pytest.raises(errors.UserError, match="nothing is claimed about task 'unclaimed'"):
      run.train(config, tmp_path / 'run')
  finally:
    del tasks.TASKS[task.name]
