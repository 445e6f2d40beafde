"""A task of one's own that asks no proper question: one line, before anything is made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import models
from maes_jax import presets
from maes_jax import tasks
from maes_jax.cells import maes
from maes_jax.config import Config
from maes_jax.training import run
from tests.training import tiny

ITEMS = 4


@pytest.fixture
def own(monkeypatch):
  """Registers a task that asks so, for the time of the test."""
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
  return lambda ask, outputs=8: tasks.register(tasks.Task('mine', outputs, ask))


def proper(key, items, length):
  del key
  return tasks.Question(items, items, tasks.episode.within(length, len(items)))


def but(**parts):
  """A question that is proper but for a part."""
  return lambda key, items, length: proper(key, items, length)._replace(
      **{name: make(items) for name, make in parts.items()})


def only_when(condition):
  """Wrong at some lengths alone."""
  return but(aux=lambda x: x[:, 1:] if condition(len(x)) else x)


# What a task answers, and what the line says after its name.
WRONG = {
    '6 bits of aux': (
        but(aux=lambda x: x[:, :6]), r'returns aux \[4, 6\] of float32; .* aux \[4, 8\]'),
    'no aux': (but(aux=lambda x: None), r'returns aux None; .* aux \[4, 8\]'),
    'aux of whole numbers': (
        but(aux=lambda x: x.astype(int)), r'returns aux \[4, 8\] of int32; .* \[4, 8\] of float'),
    'too many answers': (
        but(targets=lambda x: jnp.zeros((9, 8))), r'targets \[9, 8\] .* targets \[4, 8\] of float'),
    'too narrow': (but(targets=lambda x: x[:, :3]), r'targets \[4, 3\] .* targets \[4, 8\]'),
    'truths for targets': (but(targets=lambda x: x > 0), r'targets \[4, 8\] of bool; .* of float'),
    'mask of numbers': (
        but(mask=lambda x: x[:, 0]), r'mask \[4\] of float32; .* mask \[4\] of bool'),
    'mask of bits': (but(mask=lambda x: x > 0), r'mask \[4, 8\] of bool; .* mask \[4\] of bool'),
    'nothing': (lambda key, items, length: None, r'returns None; .* Question of aux \[4, 8\]'),
    'a tuple': (lambda key, items, length: (items, items), r'returns \(.*Question of aux'),
    'an error of its own': (lambda key, items, length: {}['x'], "fails .* 4 items .*KeyError: 'x'"),
    'a length looked at': (
        lambda key, items, length: proper(key, items[:int(length)], length),
        'fails .*Concretization'),
    'other arguments': (lambda key: None, 'fails .*TypeError'),
    'wrong when long': (
        only_when(lambda n: n == ITEMS), r'aux \[4, 7\] .* with 4 items .* \[4, 8\]'),
    'wrong when short': (only_when(lambda n: n == 1), r'aux \[1, 7\] .* with 1 items .* \[1, 8\]'),
}


def config():
  return Config(task=('mine',), min_length=2, max_length=ITEMS, memory=ITEMS + 1,
                validation_length=ITEMS, validation_memory=ITEMS + 1)


@pytest.mark.parametrize('name', WRONG)
def test_a_wrong_question_is_named_and_nothing_is_written(own, tmp_path, name):
  ask, line = WRONG[name]
  own(ask)
  with pytest.raises(errors.UserError, match=f"task 'mine' .*{line}") as error:
    run.train(config(), tmp_path / 'run')
  assert '\n' not in str(error.value)
  assert not any(tmp_path.iterdir())


@pytest.mark.parametrize('name', ['6 bits of aux', 'too narrow', 'mask of numbers', 'nothing'])
def test_an_episode_is_checked_too(own, name):
  ask, line = WRONG[name]
  task = own(ask)
  with pytest.raises(errors.UserError, match=line):
    tasks.sample(task, jax.random.key(0), 2, ITEMS)


def test_a_proper_question_is_taken(own):
  own(proper)
  models.check(presets.resolve(config()))


def test_numpys_arrays_are_taken(own):
  own(lambda key, items, length: proper(key, items, length)._replace(
      targets=np.zeros(items.shape, np.float32)))
  models.check(presets.resolve(config()))


@pytest.mark.parametrize('outputs', [0, -1, 2.5, None, True])
def test_a_task_has_an_answer(outputs):
  with pytest.raises(errors.UserError, match=r"outputs of task 'mine' is .*; .* whole number of 1"):
    tasks.Task('mine', outputs, proper)


@pytest.mark.parametrize('wrong', [{'name': ''}, {'name': 3}, {'ask': None}], ids=str)
def test_a_task_has_a_name_and_a_function(wrong):
  with pytest.raises(errors.UserError, match=r'it must be text|give a function'):
    tasks.Task(**{'name': 'mine', 'outputs': 1, 'ask': proper, **wrong})


class Deaf(maes.Maes):
  """A cell of one's own that answers one bit too many."""

  def _output(self, z_t):
    return None if not self.outputs else jnp.zeros(self.outputs + 1)


class Broken(tiny.Tiny):
  """A cell of one's own whose state is of another length than it says."""

  def initial_state(self, addresses):
    return tiny.State(jnp.zeros(2))


@pytest.mark.parametrize('cell, line', [
    (Deaf, r"model 'own' answers \[5, 9\] where task 'serial_recall' has targets \[5, 8\]"),
    (Broken, "model 'own': ")])
def test_a_model_that_does_not_fit_is_refused(monkeypatch, cell, line):
  monkeypatch.setattr(models, 'FAMILIES', {'own': models.Family(cell, tied=False)})
  wrong = Config(model='own', max_length=ITEMS, min_length=2, memory=9, validation_length=5)
  with pytest.raises(errors.UserError, match=line) as error:
    models.check(presets.resolve(wrong))
  assert '\n' not in str(error.value)
