"""Processes that one process starts: how they end, and that none outlives it."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from experiments.shared import jobs
from maes_jax import errors

ROOT = pathlib.Path(__file__).parents[2]

PARENT = '''
import sys
from experiments.shared import jobs
from maes_jax.training import interrupts
try:
  print(jobs.run(dict.fromkeys('ab', [sys.executable, '-c', {child!r}]), [set(), set()]))
except interrupts.Interrupted as stopped:
  print(stopped)
'''
LASTING = '''
import os, sys, time
sys.platform = {platform!r}
from experiments.shared import jobs
jobs.join()
os.write(1, b'up\\n')  # In one piece: another child writes, too.
time.sleep(60)
'''
COUNTING = '''
import os, signal, time
from experiments.shared import jobs
jobs.join()
heard = []
signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
os.write(1, b'up\\n')  # In one piece: another child writes, too.
while not heard:
  time.sleep(.01)
time.sleep(.5)
os.write(1, f'{[int(number) for number in heard]}\\n'.encode())
'''


def started(child):
  """A parent of two children that have joined it, in a group of its own."""
  process = subprocess.Popen([sys.executable, '-c', PARENT.format(child=child)], cwd=ROOT,
                             stdout=subprocess.PIPE, text=True, start_new_session=True)
  assert [process.stdout.readline() for _ in range(2)] == ['up\n'] * 2
  return process


def python(program):
  return [sys.executable, '-c', program]


def test_how_each_ended():
  commands = {'well': python('pass'), 'badly': python('import sys; sys.exit(3)'),
              'killed': python('import os; os.kill(os.getpid(), 9)')}
  assert jobs.run(commands, [set()]) == {
      'well': '', 'badly': 'the reason stands above', 'killed': 'ended by SIGKILL'}


def test_who_waits_hears_of_each_that_ended():
  heard = []
  commands = {'soon': python('pass'), 'later': python('import time; time.sleep(1)')}
  jobs.run(commands, [set(), set()], heard.append)
  assert heard == [1, 2]


def test_all_that_did_not_end_well_are_named():
  commands = {'well': python('pass'), 'badly': python('import sys; sys.exit(3)')}
  with pytest.raises(errors.UserError, match=r'^not finished: badly \(the reason stands above\); '):
    jobs.run_all(commands, jobs=4)


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='cores cannot be chosen here')
def test_each_keeps_to_its_share(tmp_path):
  core = min(os.sched_getaffinity(0))
  program = f'import os, sys; sys.exit(os.sched_getaffinity(0) != {{{core}}})'
  assert jobs.run(dict.fromkeys('ab', python(program)), [{core}]) == {'a': '', 'b': ''}


@pytest.mark.parametrize('platform', [sys.platform, 'another'])
def test_none_outlives_a_parent_that_is_killed(platform):
  """By the kernel's word on Linux, by the end of a pipe elsewhere."""
  with started(LASTING.format(platform=platform)) as process:
    process.kill()
    rest, _ = process.communicate(timeout=10)  # Ends when nobody holds its output any more.
  assert rest == ''


@pytest.mark.parametrize('send', [os.kill, os.killpg])
def test_each_is_asked_to_stop_once(send):
  """Ctrl-C on a terminal reaches a whole group of processes; a second signal would be too many."""
  with started(COUNTING) as process:
    send(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=10)
  *heard, last = printed.splitlines()
  assert heard == [f'[{int(signal.SIGTERM)}]'] * 2
  assert last.startswith('stopped, and so has every run')
  assert process.returncode == 0
