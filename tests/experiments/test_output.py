"""Results on a stdout that nobody reads, that is full, closed or knows ASCII alone."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = '''
import sys
from experiments.shared import output
from maes_jax import errors
with output.settled():
  try:
    {does}
  except errors.UserError as error:
    sys.exit(str(error))
  print('on it went', file=sys.stderr)
'''
SHOWS = "output.show('right: 100 % of \\u2013 \\udcff')"


@pytest.fixture(autouse=True)
def buffered(monkeypatch):
  """As a pipe is for users: what was printed may still have to be written at the end."""
  monkeypatch.delenv('PYTHONUNBUFFERED', raising=False)


def run(does, stdout, **environment):
  done = subprocess.run([sys.executable, '-c', PROGRAM.format(does=does)], cwd=ROOT, stdout=stdout,
                        stderr=subprocess.PIPE, check=False, env=os.environ | environment)
  return done.returncode, done.stderr.decode()


@pytest.fixture
def unread():
  """The end of a pipe whose reader has gone."""
  reader, writer = os.pipe()
  os.close(reader)
  yield writer
  os.close(writer)


def test_a_reader_that_has_gone_is_no_error(unread):
  assert run(SHOWS, unread) == (0, 'on it went\n')


def test_what_print_left_over_is_no_error_at_the_end(unread):
  assert run("print('little')", unread) == (0, 'on it went\n')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no full device here')
def test_a_full_disk_is_one():
  with open('/dev/full', 'wb') as full:
    status, printed = run(SHOWS, full)
  assert (status, len(printed.splitlines())) == (1, 1)
  assert printed.startswith('cannot write to stdout: No space left on device; ')


@pytest.mark.parametrize('environment', [
    {'PYTHONIOENCODING': 'ascii'},
    {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}])
def test_ascii_gets_numbers_of_characters(tmp_path, environment):
  with (tmp_path / 'printed').open('wb') as file:
    assert run(SHOWS, file, **environment) == (0, 'on it went\n')
  assert (tmp_path / 'printed').read_bytes() == b'right: 100 % of \\u2013 \\udcff\n'


def test_a_closed_stdout_is_left_alone():
  command = [sys.executable, '-c', PROGRAM.format(does=SHOWS)]
  done = subprocess.run(['sh', '-c', '"$@" >&-', 'sh', *command], cwd=ROOT, capture_output=True,
                        text=True, check=False)
  assert (done.returncode, done.stderr) == (0, 'on it went\n')
