"""Flags that name files and folders."""

import ast
import pathlib

from absl import flags
import pytest

import experiments
from experiments.shared import cli
from experiments.shared import paths

BINARIES = sorted(pathlib.Path(experiments.__file__).parent.rglob('*.py'))


@pytest.fixture
def values(monkeypatch):
  """Flags of their own, so that no other test sees them."""
  found = flags.FlagValues()
  for name in paths.NAMES:
    flags.DEFINE_string(name, None, '', flag_values=found)
  monkeypatch.setattr(flags, 'FLAGS', found)
  return found


@pytest.mark.parametrize('name', paths.NAMES)
def test_home_is_filled_in(values, monkeypatch, name):
  monkeypatch.setenv('HOME', '/home/somebody')
  cli.parse(['program', f'--{name}=~/x'])
  assert values[name].value == '/home/somebody/x'


@pytest.mark.parametrize('name', paths.NAMES)
def test_a_bucket_is_refused_before_any_work(values, capfd, name):
  with pytest.raises(SystemExit):
    cli.parse(['program', f'--{name}=gs://bucket/x'])
  (line,) = capfd.readouterr().err.splitlines()
  assert line.startswith("error: 'gs://bucket/x' is no path of this machine: mount")


def test_two_results_in_one_file_are_refused(values, tmp_path, capfd):
  with pytest.raises(SystemExit):
    cli.parse(['program', f'--json={tmp_path}/x', f'--figure={tmp_path}/y/../x'])
  assert capfd.readouterr().err == (
      f'error: --json and --figure are both {tmp_path}/x; give each a file of its own\n')


def test_two_results_to_nowhere_and_two_folders_in_one_are_allowed(values, tmp_path):
  cli.parse(['program', '--json=/dev/null', '--figure=/dev/null', f'--workdir={tmp_path}',
             f'--results={tmp_path}'])


def defined(source):
  """Names of flags whose help begins with what they name."""
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Call) and getattr(node.func, 'attr', '') in (
        'DEFINE_string', 'define_folder'):
      words = [getattr(word, 'value', '') for word in node.args]
      if isinstance(words[-1], str) and words[-1].startswith(
          ('File', 'Folder', 'Workdir', 'README')):
        yield words[0]


def test_no_flag_for_a_file_is_forgotten():
  found = {name for path in BINARIES for name in defined(path.read_text())}
  assert 'gif' in found
  assert found <= set(paths.NAMES)
