"""A lock is one process's, and ends with it."""

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
