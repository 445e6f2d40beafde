"""Two real processes of one run, over the loopback device."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from maes_jax import trained

ROOT = pathlib.Path(__file__).parents[2]
RUN = ('--task=serial_recall', '--seeds=2', '--hold=0', '--grow=0', '--start_length=5',
       '--max_length=5', '--memory=8', '--validation_length=5', '--validation_memory=8',
       '--validate_every=100', '--save_seconds=0')
SECONDS = 240  # Longest wait for any process; a wait that ends here is a failure.


@pytest.fixture(scope='module')
def start(tmp_path_factory):
  """Starts a process with one device; compiled programs are shared by the tests of this file."""
  environment = os.environ | {'XDG_CACHE_HOME': str(tmp_path_factory.mktemp('cache')),
                              'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': '1',
                              'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'}

  def launch(workdir, *flags, iterations=200):
    command = [sys.executable, '-m', 'experiments.train', f'--workdir={workdir}',
               f'--max_iterations={iterations}', *RUN, *flags]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  return launch


def pair(start, workdir, **options):
  port = free_port()
  return [start(workdir, '--distributed', f'--coordinator=localhost:{port}', '--processes=2',
                f'--process_id={index}', **options) for index in range(2)]


def free_port():
  with socket.socket() as listener:
    listener.bind(('localhost', 0))
    return listener.getsockname()[1]


def end(*processes):
  """What they printed, if all went well."""
  printed = [process.communicate(timeout=SECONDS) for process in processes]
  for process, (_, stderr) in zip(processes, printed):
    assert process.returncode == 0, stderr
  return [stdout for stdout, _ in printed]


def report(stdout):
  """The lines without those of the library that lets processes talk."""
  return [line for line in stdout.splitlines() if not line.startswith('[Gloo]')]


def losses(workdir):
  rows = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
  return {(row['iteration'], row['model']): row['loss'] for row in rows}


def error_of(process):
  """The last line of a process that a user error ended."""
  _, stderr = process.communicate(timeout=SECONDS)
  assert process.returncode == 1 and 'Traceback' not in stderr, stderr
  return stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_two_processes_are_one(start, tmp_path):
  """They train and save together what one process does alone, to rounding; one of them reports."""
  leader, follower = end(*pair(start, tmp_path / 'two'))
  (alone,) = end(start(tmp_path / 'one'))
  assert report(follower) == []
  assert len(report(leader)) == len(report(alone)) == 4
  found, wanted = losses(tmp_path / 'two'), losses(tmp_path / 'one')
  assert found.keys() == wanted.keys()
  np.testing.assert_allclose(list(found.values()), list(wanted.values()), rtol=1e-3)
  for index in range(2):
    two, one = (trained.load(tmp_path / name, index).params for name in ('two', 'one'))
    np.testing.assert_allclose(two['encoder']['hidden']['kernel'],
                               one['encoder']['hidden']['kernel'], rtol=1e-2, atol=1e-3)


@pytest.mark.slow
def test_one_is_killed_the_other_says_so_and_the_run_goes_on(start, tmp_path):
  """What is taken up again ends as if nobody had been killed, bit for bit."""
  workdir = tmp_path / 'killed'
  leader, follower = pair(start, workdir, iterations=300)
  wait_for(lambda: any(workdir.glob('checkpoints/100/*')), leader)
  follower.kill()
  follower.communicate()
  message = error_of(leader)
  assert 'another process of this run has ended' in message
  assert 'start all of them again by the same command' in message
  end(*pair(start, workdir, iterations=300))
  end(*pair(start, tmp_path / 'whole', iterations=300))
  assert losses(workdir) == losses(tmp_path / 'whole')


def wait_for(condition, process):
  started = time.monotonic()
  while not condition():
    assert process.poll() is None and time.monotonic() - started < SECONDS
    time.sleep(.02)


@pytest.mark.parametrize('index', [0, 1])
def test_nobody_answers(start, tmp_path, index):
  """Neither a coordinator that is not there nor a process that never comes is waited for long."""
  process = start(tmp_path / 'run', '--distributed', f'--coordinator=localhost:{free_port()}',
                  '--processes=2', f'--process_id={index}', '--join_seconds=3')
  assert 'the other processes did not answer within 3 seconds' in error_of(process)
  assert not (tmp_path / 'run').exists()


def test_others_that_are_not_named(start, tmp_path):
  process = start(tmp_path / 'run', '--distributed', '--processes=2', '--process_id=7',
                  '--coordinator=localhost:1')
  assert 'give --coordinator, --processes and --process_id' in error_of(process)


def test_more_devices_than_there_are(start, tmp_path):
  process = start(tmp_path / 'run', '--devices=2')
  assert error_of(process) == (
      'error: devices is 2; this run has 1 of kind cpu, use 1 to 1')
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(start, tmp_path, number):
  """JAX takes SIGTERM for itself when it joins the others."""
  process = start(tmp_path / 'run', '--distributed', f'--coordinator=localhost:{free_port()}',
                  '--processes=1', '--process_id=0', '--stop_loss=0', iterations=100_000_000)
  while not (tmp_path / 'run' / 'checkpoints').exists():
    assert process.poll() is None
    time.sleep(.1)
  process.send_signal(number)
  assert 'all saved' in error_of(process)
