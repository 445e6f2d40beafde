"""What a binary does when it is asked to stop, whatever its main thread is at."""

import pathlib
import signal
import subprocess
import sys

import pytest

from experiments.shared import stopping
from maes_jax.training import interrupts

ROOT = pathlib.Path(__file__).parents[2]
START = '''
import hashlib, os, pathlib, signal, sys, tempfile, time
from experiments.shared import stopping
from maes_jax.training import interrupts
stopping.PATIENCE = stopping.UNWINDING = .3
stopping.install()
def up(): print('up', flush=True)
def in_c(): hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)  # Minutes without a line of Python.
'''
ASLEEP = 'up(); time.sleep(60)'
IN_C = 'up(); in_c()'
SWALLOWING = '''
with stopping.unwinding():
  while True:
    try:
      up()
      time.sleep(60)
    except BaseException:
      pass
'''
UNWINDING = '''
try:
  with stopping.unwinding(), tempfile.TemporaryDirectory(dir=sys.argv[1]):
    up()
    time.sleep(60)
except KeyboardInterrupt:
  stopping.leave('stopped')
'''
ASKED = '''
with interrupts.graceful() as wish:
  up()
  while not wish.stop:
    time.sleep(.01)
  raise interrupts.Interrupted('saved')
'''
COMPILING = 'with interrupts.graceful() as wish: up(); in_c()'
NOT_BEGUN = '''
with interrupts.graceful() as wish, wish.nothing_to_save('not begun'):
  up()
  in_c()
'''
ANOTHER_SIGNAL = '''
signal.signal(signal.SIGALRM, lambda number, frame: None)
os.kill(os.getpid(), signal.SIGALRM)
time.sleep(.5)
up()
time.sleep(60)
'''
BOTH = pytest.mark.parametrize('number', interrupts.SIGNALS)


def started(program, *words, **options):
  """A process that has run up to its `up()`."""
  process = subprocess.Popen(
      [sys.executable, '-c', START + program, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True,
      **{'stderr': subprocess.PIPE, **options})
  assert process.stdout.readline() == 'up\n'
  return process


def end(process) -> tuple[int, str]:
  _, printed = process.communicate(timeout=10)
  return process.returncode, printed


@BOTH
@pytest.mark.parametrize('program', [ASLEEP, IN_C, SWALLOWING, ANOTHER_SIGNAL])
def test_it_ends_in_a_line(program, number):
  with started(program) as process:
    process.send_signal(number)
    assert end(process) == (1, 'error: stopped\n')


@BOTH
def test_it_sees_to_its_temporary_files(tmp_path, number):
  with started(UNWINDING, str(tmp_path)) as process:
    assert any(tmp_path.iterdir())
    process.send_signal(number)
    assert end(process) == (1, 'error: stopped\n')
  assert not any(tmp_path.iterdir())


@BOTH
def test_what_can_be_asked_is_asked(number):
  with started(ASKED) as process:
    process.send_signal(number)
    _, printed = end(process)
  assert printed.splitlines()[-1].endswith('Interrupted: saved')
  assert 'KeyboardInterrupt' not in printed


def test_while_nothing_can_be_saved_nobody_waits():
  with started(NOT_BEGUN) as process:
    process.send_signal(signal.SIGTERM)
    assert end(process) == (1, 'error: not begun\n')


def test_the_user_is_told_what_is_waited_for_and_a_second_signal_stops():
  with started(COMPILING) as process:
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline().startswith('stopping as soon as')
    process.send_signal(signal.SIGINT)
    assert end(process) == (1, 'error: stopped at once; what was saved before is as it was\n')


def test_nobody_need_read_the_line():
  with started(ASLEEP) as process:
    process.stderr.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 1


def test_a_test_that_imports_a_binary_keeps_its_handlers():
  assert signal.getsignal(signal.SIGINT) is not stopping._on_signal
