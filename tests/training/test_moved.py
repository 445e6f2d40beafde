"""A run never writes into what now stands where it began, whoever put it there."""

import pathlib
import shutil

import pytest

from maes_jax import checkpoints
from maes_jax import errors
from maes_jax import models
from maes_jax import families
from maes_jax.config import Config
from maes_jax.training import loop
from maes_jax.training.progress import Progress
from maes_jax.training.trainer import Trainer
from maes_jax.training.workdir import Workdir
from tests.training import test_loop
from tests.training.tiny import Tiny


def config():
  return families.resolve(Config(**{**test_loop.OPTIONS, 'task': ('serial_recall',)}))


compiled = test_loop.compiled


@pytest.fixture(autouse=True)
def family(monkeypatch):
  monkeypatch.setitem(families.FAMILIES, 'tiny', families.Family(Tiny, tied=True))


def contents(folder):
  """Of all but the lock, which a process empties, and of TensorBoard's files.

  These stay open, wherever they are moved to; the last events go into them.
  """
  return {path: path.read_bytes() for path in folder.rglob('*')
          if path.is_file() and path.name != 'lock' and 'events' not in path.name}


def move(path, other):
  path.rename(path.with_name('moved'))


def replace(path, other):
  path.rename(path.with_name('moved'))
  shutil.copytree(other, path)


def remove(path, other):
  shutil.rmtree(path)


def link(path, other):
  path.rename(path.with_name('moved'))
  path.symlink_to(other)


def unlock(path, other):
  """Somebody who thinks that the lock is a stale one."""
  (path / 'lock').unlink()


@pytest.fixture(scope='module')
def other(tmp_path_factory):
  """The folder of another run, as it is when it has just begun."""
  folder = tmp_path_factory.mktemp('other') / 'run'
  with Workdir(folder).claim(families.resolve(Config(seed=1))):
    pass
  (folder / 'checkpoints').mkdir()
  return folder


@pytest.mark.parametrize('happens', [move, replace, remove, link, unlock])
def test_a_run_ends_in_a_line_and_nothing_is_written(tmp_path, monkeypatch, other, happens):
  path, left, write = tmp_path / 'run', {}, Progress.write

  def acting(*args):
    if not left:
      happens(path, other)
      left['now'] = contents(tmp_path), contents(other)
    write(*args)

  monkeypatch.setattr(Progress, 'write', acting)
  with (pytest.raises(errors.UserError, match='no longer the folder that this run began in'),
        Workdir(path).claim(config()) as workdir):
    loop.train(Trainer(config(), models.build(config())), workdir, save_seconds=0.)
  assert left['now'] == (contents(tmp_path), contents(other))


class TestClaimed:

  @pytest.fixture
  def replaced(self, tmp_path, other):
    """A run's claim on a folder that is another one's by now."""
    path = tmp_path / 'run'
    with Workdir(path).claim(config()) as workdir:
      before = workdir.fingerprint
      replace(path, other)
      assert workdir.fingerprint == before != Workdir(path).fingerprint
      yield workdir

  def test_nothing_is_saved(self, replaced):
    before = contents(replaced.path)
    with pytest.raises(errors.UserError, match='no longer the folder'):
      checkpoints.save(replaced.checkpoints, 100, {}, replaced.fingerprint, replaced.check)
    assert contents(replaced.path) == before

  def test_the_folder_can_be_claimed_by_another(self, replaced):
    with Workdir(replaced.path).claim(families.resolve(Config(seed=1))) as workdir:
      workdir.check()

  def test_a_lock_that_was_removed_lets_nobody_in(self, tmp_path):
    with (Workdir(tmp_path / 'run').claim(config()),
          pytest.raises(errors.UserError, match='is in use by')):
      pathlib.Path(tmp_path / 'run' / 'lock').unlink()
      with Workdir(tmp_path / 'run').claim(config()):
        pass
