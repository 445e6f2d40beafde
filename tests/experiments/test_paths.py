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


@pytest.mark.parametrize('name', paths.NAMES)
def test_an_empty_name_is_not_the_current_folder(values, capfd, name):
  """But for the README, of which there may be none."""
  if name == 'readme':
    cli.parse(['program', '--readme='])
    assert values['readme'].value == ''
    return
  with pytest.raises(SystemExit):
    cli.parse(['program', f'--{name}='])
  assert capfd.readouterr().err.startswith(f'error: --{name} is empty; name a file or a folder')


@pytest.mark.parametrize('name', paths.WRITTEN)
@pytest.mark.parametrize('place', ['file/x', 'file/folder/x'])
def test_what_cannot_be_written_is_refused_before_any_work(values, tmp_path, capfd, name, place):
  (tmp_path / 'file').write_text('mine')
  with pytest.raises(SystemExit):
    cli.parse(['program', f'--{name}={tmp_path}/{place}'])
  assert capfd.readouterr().err.startswith(
      f'error: cannot write {tmp_path}/{place}: Not a directory; choose a file in a folder that')


def test_a_folder_in_the_place_of_a_result_is_refused(values, tmp_path, capfd):
  with pytest.raises(SystemExit):
    cli.parse(['program', f'--json={tmp_path}'])
  assert capfd.readouterr().err.startswith(f'error: cannot write {tmp_path}: Is a directory; ')


@pytest.mark.parametrize('path', ['file', 'new/folder/x', 'link', '/dev/null'])
def test_what_can_be_written_is_left_as_it_is(values, tmp_path, monkeypatch, path):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'file').write_text('mine')
  (tmp_path / 'link').symlink_to(tmp_path / 'other')
  before = sorted(tmp_path.rglob('*'))
  cli.parse(['program', f'--json={path}'])
  assert sorted(tmp_path.rglob('*')) == before and (tmp_path / 'file').read_text() == 'mine'


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
