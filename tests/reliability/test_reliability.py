"""Short forms of `make crash` and `make fuzz`, their document, and a disk that is really full."""

import json
import os
import subprocess
import sys
import time
import types

import pytest

from maes_jax import checkpoints
from maes_jax import errors
from maes_jax import trained
from maes_jax.training.workdir import Workdir
from tests.reliability import attempts
from tests.reliability import damage
from tests.reliability import document
from tests.reliability import fuzz_steps
from tests.reliability import kills
from tests.reliability import properties
from tests.reliability import remains
from tests.reliability import scenarios
from tests.reliability import signals


@pytest.fixture(scope='module', autouse=True)
def environment(tmp_path_factory):
  """Compiled programs are shared by the processes of this file."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
    patch.setenv('JAX_PLATFORMS', 'cpu')
    yield


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  return scenarios.make(tmp_path_factory.mktemp('made'))


def test_killed_and_taken_up_again_it_ends_the_same(tmp_path):
  """A population, killed in a save and at another moment, and asked to stop."""
  scenario = scenarios.train('population', '--task=reverse_recall', '--seeds=2', iterations=800)
  (found,) = kills.run([scenario], tmp_path, tmp_path, kills=2)
  assert found['kills'] == 2
  assert found['differences'] == []


def test_asked_to_stop_at_random_moments(tmp_path):
  """New runs, and one that is taken up."""
  found = signals.run(tmp_path, 4)
  assert found['signals'] == 4
  assert not any(found[kind] for kind in ('lost', 'tracebacks', 'wrong_statuses')), found


def test_what_signals_came_to_is_counted():
  def end(status, printed, seconds=1.):
    return {'status': status, 'printed': printed, 'seconds': seconds}

  good = [end(1, 'error: stopped at iteration 200, all saved; run'), end(1, 'error: stopped', .1)]
  found = {'signals': 2, 'while_starting': 1, 'lost': 0, 'tracebacks': 0, 'wrong_statuses': 0,
           'slowest_seconds': 1.}
  assert signals.summary(good) == found
  for bad, kind in ((end(None, 'all saved'), 'lost'), (end(0, 'all saved'), 'wrong_statuses'),
                    (end(1, 'Traceback, all saved'), 'tracebacks')):
    assert signals.summary([*good, bad]) == {**found, 'signals': 3, kind: 1}


@pytest.mark.parametrize('number', signals.SIGNALS)
def test_an_evaluation_that_is_asked_to_stop_saves_nothing_and_does_not_say_so(number):
  words = [sys.executable, '-m', 'experiments.evaluate', '--checkpoint=E_J', '--batches=100000',
           '--task=serial_recall']
  with subprocess.Popen(words, cwd=scenarios.ROOT, stderr=subprocess.PIPE, text=True) as process:
    time.sleep(2)
    process.send_signal(number)
    _, printed = process.communicate(timeout=20)
  assert (process.returncode, printed) == (1, 'error: stopped\n')


def test_differences_are_seen(made):
  assert remains.differences(made.run, made.run) == []
  assert remains.differences(made.run, made.other) == [
      '.: metrics.jsonl', '.: population', '.: state', '.: tensorboard']


@pytest.mark.parametrize('kind', ['truncated', "another run's"])
def test_damage_never_goes_unseen(made, tmp_path, kind):
  rows = damage.table(made, tmp_path / 'scratch', [kind])
  outcomes = {row['file']: row[kind] for row in rows}
  assert damage.DIFFERENT not in outcomes.values()
  assert outcomes['config.json'] == outcomes['metrics.jsonl'] == damage.REFUSED
  assert outcomes['checkpoints/300/state/d/*'] == damage.OLDER


@pytest.mark.parametrize('kind, most', [('hostile', 8), ('stray', 2), ('outputs', 3)])
def test_no_promise_is_broken_in_bad_surroundings(made, tmp_path, kind, most):
  rows = document.KINDS[kind].table(made, tmp_path / 'scratch', most)
  assert [row['broken'] for row in rows] == [[]] * len(rows)
  assert [row['done'] + row['refused'] for row in rows] == [most] * len(rows)
  if kind == 'hostile':
    assert rows[0]['refused'] == most  # All of the config's, loaded and resumed.


class TestAttempts:

  def test_broken_promises_are_told(self):
    row = attempts.row('x', [('one', lambda: attempts.DONE), ('three', lambda: 1 / 0),
                             ('two', lambda: attempts.promise(False, 'it holds'))])
    assert row['done'] == 1
    assert [line.split(':')[0] for line in row['broken']] == ['three', 'two']

  def test_a_hang_is_a_broken_promise(self, monkeypatch):
    monkeypatch.setattr(attempts, 'HANG', 1)
    row = attempts.row('x', [('one', lambda: time.sleep(30))])
    assert 'longer than 1 seconds' in row['broken'][0]

  def test_a_line_must_be_one(self):
    class Verbose(errors.UserError):
      def __str__(self):
        return 'x' * 10_000

    def fail():
      raise Verbose

    with pytest.raises(AssertionError, match='one short plain line'):
      attempts.in_a_line(fail)


@pytest.mark.parametrize('prove', properties.PROPERTIES, ids=lambda prove: prove.__name__)
def test_odd_input_ends_in_a_line(prove):
  inputs = 3 if prove is properties.process else 30
  counts = properties.run(prove, inputs)
  assert counts['accepted'] + counts['refused'] >= inputs
  assert counts['refused'] or prove is fuzz_steps.stray


ROOMS = ('unshare', '--map-root-user', '--mount')  # Where one may mount a small disk.


@pytest.mark.skipif(
    not sys.platform.startswith('linux') or subprocess.run(
        [*ROOMS, 'mount', '-t', 'tmpfs', 'none', '/mnt'], capture_output=True,
        check=False).returncode,
    reason='no right to mount a small disk here')
def test_a_run_on_a_full_disk(tmp_path):
  """The run fills its disk, says so in a line, and what it saved last is whole."""
  command = scenarios.train('run', '--task=serial_recall').command(tmp_path, tmp_path)
  script = (f'mount -t tmpfs -o size=250k none {tmp_path} && {{ {" ".join(command)}; '
            f'echo $?; cp -r {tmp_path}/run {tmp_path.parent}/kept; }}')
  done = subprocess.run([*ROOMS, 'sh', '-c', script], cwd=scenarios.ROOT, env=os.environ,
                        capture_output=True, text=True, check=False)
  assert done.stdout.strip() == '1', done.stderr
  *_, line = done.stderr.strip().splitlines()
  assert line.startswith('error: cannot')
  assert 'Traceback' not in done.stderr
  kept = Workdir(tmp_path.parent / 'kept')
  newest = checkpoints.steps(kept.checkpoints)[0]
  assert trained.load(kept.path).iterations == newest > 0


class TestDocument:

  FOUND = types.MappingProxyType({
      'run': 'one', 'kills': 5, 'during_a_save': 2, 'before_the_first_save': 1,
      'stopped_in_seconds': 1.5, 'differences': []})

  def render(self, tmp_path, **found):
    for name, value in found.items():
      document.write(tmp_path, name, value)
    return document.render(tmp_path)

  def test_it_is_what_the_records_give(self):
    text = (scenarios.ROOT / 'RELIABILITY.md').read_text()
    assert text == document.render(scenarios.ROOT / 'results' / 'reliability')

  def test_counts_kills_and_differences(self, tmp_path):
    text = self.render(tmp_path, crash=[dict(self.FOUND), {**self.FOUND, 'kills': 7}])
    assert '**12 kills in 2 runs, 0 differences.**' in text
    assert not document.broken(tmp_path)

  def test_a_difference_shows_and_counts_as_broken(self, tmp_path):
    text = self.render(tmp_path, crash=[{**self.FOUND, 'differences': ['run: state']}])
    assert '1 differences' in text
    assert 'run: state' in text
    assert document.broken(tmp_path)

  def test_a_silent_change_counts_as_broken(self, tmp_path):
    row = {'file': 'x', **dict.fromkeys(damage.DAMAGES, damage.HARMLESS)}
    self.render(tmp_path, damage=[row])
    assert not document.broken(tmp_path)
    self.render(tmp_path, damage=[row, {**row, 'emptied': damage.DIFFERENT}])
    assert document.broken(tmp_path)

  def test_a_signal_that_is_lost_counts_as_broken(self, tmp_path):
    found = signals.summary([{'status': 1, 'printed': 'error: stopped', 'seconds': .5}] * 3)
    assert '| 3 | 3 | 0 | 0 | 0 | 0.5 |' in self.render(tmp_path, signals=found)
    assert not document.broken(tmp_path)
    self.render(tmp_path, signals={**found, 'lost': 1})
    assert document.broken(tmp_path)

  def test_tries_in_bad_surroundings_are_counted(self, tmp_path):
    row = {'what': 'A pipe.', 'done': 3, 'refused': 2, 'broken': []}
    text = self.render(tmp_path, outputs=[row])
    assert '**5 tries, 0 broken.**' in text
    assert '| A pipe. | 5 | 3 | 2 | none |' in text
    assert not document.broken(tmp_path)
    text = self.render(tmp_path, outputs=[{**row, 'broken': ['result.json: gone']}])
    assert '| A pipe. | 6 | 3 | 2 | result.json: gone |' in text
    assert document.broken(tmp_path)

  @pytest.mark.parametrize('last, verdict', [(100., 'is flat'), (150., 'is not flat')])
  def test_memory_that_grows_is_told(self, tmp_path, last, verdict):
    samples = [[100 * i, 100. if i < 20 else last] for i in range(40)]
    text = self.render(tmp_path, soak={
        'iterations': 3900, 'samples': samples, 'finite': True, 'skipped': 0})
    assert verdict in text

  def test_what_was_not_measured_is_left_out(self, tmp_path):
    text = self.render(tmp_path, fuzz=[{'what': 'Flags.', 'accepted': 2, 'refused': 8}])
    assert '| Flags. | 10 | 2 | 8 |' in text
    assert 'Killed' not in text
    assert json.loads((tmp_path / 'fuzz.json').read_text())['versions']['jax']
