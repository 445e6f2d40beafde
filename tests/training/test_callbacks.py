"""A user's own callbacks: what they see, when, and what becomes of a run where one fails."""

import jax
import numpy as np
import pytest

from maes_jax import checkpoints
from maes_jax import errors
from maes_jax.training import metrics
from tests.training import test_loop

compiled, family, train = test_loop.compiled, test_loop.family, test_loop.train


class Seen:
  """Notes all that it is told."""

  def __init__(self, folder=None):
    self.folder, self.calls, self.rows, self.logged = folder, [], [], []

  def write(self, state, rows):
    self.calls.append('write')
    self.rows += rows
    assert (state.iteration == max(row['iteration'] for row in rows)).all()
    if self.folder:
      self.logged.append(metrics.read(self.folder / 'run' / 'metrics.jsonl'))

  def flush(self):
    self.calls.append('flush')

  def close(self):
    self.calls.append('close')


class Failing(Seen):
  """Fails when it is called for the n-th time."""

  def __init__(self, number, error):
    super().__init__()
    self._number, self._error = number, error

  def write(self, state, rows):
    super().write(state, rows)
    if self.calls.count('write') == self._number:
      raise self._error


def steps(folder):
  return checkpoints.steps(folder / 'run' / 'checkpoints')


def test_see_every_row_after_it_was_logged(tmp_path):
  one, other = Seen(tmp_path), Seen()
  train(tmp_path, callbacks=[one, other])
  assert one.rows == other.rows == metrics.read(tmp_path / 'run' / 'metrics.jsonl')
  assert [len(logged) for logged in one.logged] == [2, 4, 6, 8]
  assert one.calls == ['write', 'flush'] * 4 + ['close']


class Keeping(Seen):
  """Keeps every population that it sees, and what its parameters were then."""

  def __init__(self):
    super().__init__()
    self.kept = []

  def write(self, state, rows):
    super().write(state, rows)
    self.kept.append((state, jax.tree.map(np.array, state.params)))


def test_what_they_keep_stays_as_it_was(tmp_path):
  keeping = Keeping()
  last = train(tmp_path, callbacks=[keeping])
  for state, params in keeping.kept:
    jax.tree.map(np.testing.assert_array_equal, state.params, params)
  jax.tree.map(np.testing.assert_array_equal, keeping.kept[-1][1], last.params)
  first, *_ = jax.tree.leaves(keeping.kept[0][1])
  assert (first != jax.tree.leaves(last.params)[0]).any()


@pytest.mark.parametrize('error', [ZeroDivisionError('mine'), OSError(28, 'mine')], ids=repr)
def test_an_error_of_theirs_ends_the_run_as_it_is(tmp_path, error):
  """All are closed, nothing more is saved, and without it the run goes on."""
  failing, seen = Failing(3, error), Seen()
  with pytest.raises(type(error), match='mine') as raised:
    train(tmp_path, callbacks=[failing, seen])
  assert raised.value is error and raised.traceback[-1].name == 'write'
  assert failing.calls[-1] == seen.calls[-1] == 'close'
  assert steps(tmp_path)[0] == 200
  later = Seen()
  train(tmp_path, callbacks=[later])
  assert [row['iteration'] for row in later.rows] == [300, 300, 400, 400]


@pytest.mark.parametrize('callbacks, match', [
    (Seen(), 'callbacks is .*; give a list'), ([Seen(), print], 'callback <built-in .* no write'),
    ([Seen], 'callback Seen is a class; give an object of it'),
], ids=['no list', 'a function', 'a class'])
def test_what_is_none_is_told_in_a_line(tmp_path, callbacks, match):
  with pytest.raises(errors.UserError, match=match):
    train(tmp_path, callbacks=callbacks)
  assert not steps(tmp_path)
