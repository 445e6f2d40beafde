"""The power may go at any moment of a save: one of the last two steps is there afterwards."""

import logging
import shutil

import jax
import numpy as np
import pytest

from maes_jax import checkpoints
from maes_jax import errors
from maes_jax import files
from tests.forgetful import Disk


def tree(step):
  return {'w': np.arange(6.) + step, 'n': np.array([step])}


class Cuts:
  """Cuts the power at every moment of a number of saves, and looks at what is left."""

  def __init__(self, folder, scratch, monkeypatch):
    self._folder, self._scratch, self._busy = folder, scratch, False
    self.disk = Disk(monkeypatch, after=self._cut)
    self.found, self._known = [], {}

  def _cut(self):
    if self._busy:
      return
    self._busy = True
    for removed in (False, True):
      shutil.rmtree(self._scratch, ignore_errors=True)
      self.disk.left(self._folder, self._scratch, removed)
      self.found.append(self._newest())
    self._busy = False


  def _newest(self):
    """Of what is left; looked at once."""
    content = frozenset((str(path), path.is_file() and path.read_bytes())
                        for path in self._scratch.rglob('*'))
    if content not in self._known:
      self._known[content] = newest(self._scratch / 'checkpoints')
    return self._known[content]


def newest(folder):
  """The step that comes back; 0 for none. It comes back whole."""
  try:
    step, found = checkpoints.restore(folder, tree(0))
  except errors.UserError:
    return 0
  jax.tree.map(np.testing.assert_array_equal, found, tree(step))
  return step


@pytest.fixture
def cuts(tmp_path, monkeypatch, caplog):
  caplog.set_level(logging.CRITICAL)
  (tmp_path / 'run').mkdir()
  found = Cuts(tmp_path / 'run', tmp_path / 'left', monkeypatch)
  files.sync_folder(tmp_path / 'run')
  yield found
  found.disk.close()


def save(cuts, tmp_path, step):
  """The steps found at cuts during a save."""
  cuts.found.clear()
  checkpoints.save(tmp_path / 'run' / 'checkpoints', step, tree(step))
  return set(cuts.found), cuts.found[-1]


def test_at_any_moment_one_of_the_last_two_steps_is_left(cuts, tmp_path):
  assert save(cuts, tmp_path, 100) == ({0, 100}, 100)
  for before, step in ((100, 200), (200, 300)):
    assert save(cuts, tmp_path, step) == ({before, step}, step)


def test_saved_over_a_damaged_step(cuts, tmp_path):
  for step in (100, 200):
    save(cuts, tmp_path, step)
  (tmp_path / 'run' / 'checkpoints' / '200' / '_CHECKPOINT_METADATA').write_text('{')
  during, after = save(cuts, tmp_path, 200)
  assert after == 200
  assert during <= {100, 200}


@pytest.mark.parametrize('forgotten', ['sync_tree', 'sync_folder'])
def test_the_simulation_sees_what_is_not_synced(cuts, tmp_path, monkeypatch, forgotten):
  monkeypatch.setattr(files, forgotten, lambda folder: None)
  checkpoints.save(tmp_path / 'run' / 'checkpoints', 100, tree(100))
  assert set(cuts.found) == {0}
