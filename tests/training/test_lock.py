"""A lock is one process's, and ends with it."""

import errno
import fcntl
import os
import stat
import subprocess
import sys

import pytest

from maes_jax import errors
from maes_jax.training import lock

HOLD = """
import pathlib, sys, time
from maes_jax.training import lock
with lock.exclusive(pathlib.Path(sys.argv[1])):
  print('held', flush=True)
  time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
  """A process that holds the lock."""
  command = [sys.executable, '-c', HOLD, str(tmp_path / 'lock')]
  with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
    assert process.stdout.readline() == 'held\n'
    yield process
    process.kill()


def test_another_process_is_refused_and_told_by_whom(tmp_path, holder):
  with (pytest.raises(errors.UserError, match=f'in use by process {holder.pid} on .*; wait'),
        lock.exclusive(tmp_path / 'lock')):
    pass


def test_a_killed_process_is_not_in_the_way(tmp_path, holder):
  holder.kill()
  holder.wait()
  with lock.exclusive(tmp_path / 'lock'):
    pass


def test_it_is_free_again_after_an_error(tmp_path):
  with pytest.raises(RuntimeError), lock.exclusive(tmp_path / 'lock'):
    raise RuntimeError
  with lock.exclusive(tmp_path / 'lock'):
    pass


def test_removing_the_file_lets_nobody_in(tmp_path, holder):
  (tmp_path / 'lock').unlink()
  with (pytest.raises(errors.UserError, match=r'in use by a process that .* lost the file'),
        lock.exclusive(tmp_path / 'lock')):
    pass


def test_where_folders_cannot_be_locked_the_file_is(tmp_path, monkeypatch, holder):
  """As some network file systems have it."""
  flock = fcntl.flock

  def files_only(descriptor, operation):
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
      raise OSError(errno.EBADF, 'Bad file descriptor')
    flock(descriptor, operation)

  monkeypatch.setattr(fcntl, 'flock', files_only)
  with pytest.raises(errors.UserError, match='in use by'), lock.exclusive(tmp_path / 'lock'):
    pass
  holder.kill()
  holder.wait()
  with lock.exclusive(tmp_path / 'lock') as held:
    assert held.stands()


@pytest.mark.parametrize('change', ['moved', 'removed', 'replaced'])
def test_it_stands_as_long_as_its_file_is_there(tmp_path, change):
  folder = tmp_path / 'folder'
  folder.mkdir()
  with lock.exclusive(folder / 'lock') as held:
    assert held.stands()
    if change == 'removed':
      (folder / 'lock').unlink()
    else:
      folder.rename(tmp_path / 'other')
    if change == 'replaced':
      folder.mkdir()
      (folder / 'lock').touch()
    assert not held.stands()


WITHOUT = """
import sys
sys.modules['fcntl'] = None  # As on Windows.
import maes_jax
from maes_jax import errors
assert maes_jax.load('E_J').iterations
try:
  maes_jax.train(maes_jax.Config(), sys.argv[1])
except errors.UserError as error:
  print(error)
"""


def test_only_who_trains_needs_locks(tmp_path):
  done = subprocess.run([sys.executable, '-c', WITHOUT, str(tmp_path / 'run')], text=True,
                        capture_output=True, check=False)
  assert not done.returncode, done.stderr
  assert done.stdout.startswith('training locks its workdir, which this system cannot do')
