"""Short forms of `make crash` and `make fuzz`, and a disk that is really full."""

import json
import os
import subprocess
import sys
import types

import pytest

from experiments import programs
from experiments.reliability import crash
from experiments.reliability import damage
from experiments.reliability import document
from experiments.reliability import fuzz
from experiments.reliability import remains
from experiments.reliability import scenarios
from maes_jax import checkpoints
from maes_jax import trained
from maes_jax.training.workdir import Workdir


@pytest.fixture(scope='module', autouse=True)
def environment(tmp_path_factory):
  """Compiled programs are shared by the processes of this file."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
    patch.setenv('JAX_PLATFORMS', 'cpu')
    yield


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Two short runs of different seeds, done."""
  folder = tmp_path_factory.mktemp('runs')
  for name, seed in (('run', 0), ('other', 1)):
    crash.finish(scenarios.encoder(seed), folder / name, folder)
  return folder


def test_killed_and_taken_up_again_it_ends_the_same(tmp_path):
  """A population, killed in a save and at another moment, and asked to stop."""
  scenario = scenarios.train('population', '--task=reverse_recall', '--seeds=2', iterations=800)
  (found,) = crash.run([scenario], tmp_path, kills=2)
  assert found['kills'] == 2
  assert found['differences'] == []


def test_differences_are_seen(runs):
  assert remains.differences(runs / 'run', runs / 'run') == []
  assert remains.differences(runs / 'run', runs / 'other') == [
      'run: metrics.jsonl', 'run: population', 'run: state', 'run: tensorboard']


@pytest.mark.parametrize('kind', ['truncated', "another run's"])
def test_damage_never_goes_unseen(runs, tmp_path, kind):
  rows = damage.table(runs / 'run' / 'run', runs / 'other' / 'run', tmp_path / 'scratch', [kind])
  outcomes = {row['file']: row[kind] for row in rows}
  assert damage.DIFFERENT not in outcomes.values()
  assert outcomes['config.json'] == outcomes['metrics.jsonl'] == damage.REFUSED
  assert outcomes['checkpoints/300/state/d/*'] == damage.OLDER


@pytest.mark.parametrize('prove', fuzz.PROPERTIES, ids=lambda prove: prove.__name__)
def test_odd_input_ends_in_a_line(prove):
  inputs = 3 if prove is fuzz.process else 30
  counts = fuzz.run(prove, inputs)
  assert counts['accepted'] + counts['refused'] >= inputs
  assert counts['refused']


ROOMS = ('unshare', '--map-root-user', '--mount')  # Where one may mount a small disk.


@pytest.mark.skipif(
    not sys.platform.startswith('linux') or subprocess.run(
        [*ROOMS, 'mount', '-t', 'tmpfs', 'none', '/mnt'], capture_output=True,
        check=False).returncode,
    reason='no right to mount a small disk here')
def test_a_run_on_a_full_disk(tmp_path):
  """The run fills its disk, says so in a line, and what it saved last is whole."""
  command = [sys.executable, '-m', *scenarios.train('run', '--task=serial_recall').command(
      tmp_path, tmp_path)]
  script = (f'mount -t tmpfs -o size=250k none {tmp_path} && {{ {" ".join(command)}; '
            f'echo $?; cp -r {tmp_path}/run {tmp_path.parent}/kept; }}')
  done = subprocess.run([*ROOMS, 'sh', '-c', script], cwd=programs.ROOT, env=os.environ,
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
    document.render(tmp_path, tmp_path / 'out.md')
    return (tmp_path / 'out.md').read_text()

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
