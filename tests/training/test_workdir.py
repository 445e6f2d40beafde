"""Who may use which folder, and what is left of it when something goes wrong."""

import dataclasses
import json

import pytest

from maes_jax import errors
from maes_jax import presets
from maes_jax.config import Config
from maes_jax.training import workdir as workdir_lib
from maes_jax.training.workdir import Workdir

CONFIG = presets.resolve(Config(seeds=2, task_weights=(1.,)))


@pytest.fixture
def claimed(tmp_path):
  workdir = Workdir(tmp_path / 'a' / 'run')
  workdir.claim(CONFIG)
  return workdir


def contents(folder):
  return {path.relative_to(folder): path.read_bytes()
          for path in folder.rglob('*') if path.is_file()}


def test_claim_makes_a_folder_that_knows_its_config(claimed):
  assert claimed.read_config() == CONFIG
  assert json.loads((claimed.path / 'config.json').read_text())['seeds'] == 2
  assert [path.name for path in claimed.path.iterdir()] == ['config.json']


def test_same_config_may_come_again(claimed):
  before = contents(claimed.path)
  claimed.claim(dataclasses.replace(CONFIG))
  assert contents(claimed.path) == before


def test_a_run_from_before_an_option_existed_goes_on(claimed):
  file = claimed.path / 'config.json'
  values = json.loads(file.read_text())
  del values['half_life']
  file.write_text(json.dumps(values))
  claimed.claim(CONFIG)
  assert claimed.read_config() == CONFIG


def test_other_config_is_an_error_that_names_the_fields_and_changes_nothing(claimed):
  before = contents(claimed.path)
  other = dataclasses.replace(CONFIG, seeds=3, learning_rate=.5)
  with pytest.raises(errors.UserError, match=r'seeds: 2, not 3; learning_rate: 0.02, not 0.5'):
    claimed.claim(other)
  assert contents(claimed.path) == before


@pytest.mark.parametrize('text', ['', '{"seeds": 2', 'null\x00', '[]', '3', '{"seeds": "two"}'])
def test_damaged_config_is_an_error(claimed, text):
  (claimed.path / 'config.json').write_text(text)
  with pytest.raises(errors.UserError):
    claimed.read_config()
  with pytest.raises(errors.UserError):
    claimed.claim(CONFIG)


def test_config_that_is_not_text_is_an_error(claimed):
  (claimed.path / 'config.json').write_bytes(b'\xff\xfe\x00')
  with pytest.raises(errors.UserError):
    claimed.read_config()


def test_config_with_an_unknown_key_is_an_error(claimed):
  (claimed.path / 'config.json').write_text('{"unfreze": 2}')
  with pytest.raises(errors.UserError, match="did you mean 'unfreeze'"):
    claimed.read_config()


def test_no_run_there_is_an_error(tmp_path):
  with pytest.raises(errors.UserError, match='no training run'):
    Workdir(tmp_path).read_config()


def test_a_file_in_its_place_is_an_error(tmp_path):
  (tmp_path / 'file').write_text('mine')
  for path in (tmp_path / 'file', tmp_path / 'file' / 'run'):
    with pytest.raises(errors.UserError, match='choose a folder'):
      Workdir(path).claim(CONFIG)
  assert (tmp_path / 'file').read_text() == 'mine'


class TestWriteAtomically:

  def test_replaces_and_leaves_nothing_behind(self, tmp_path):
    path = tmp_path / 'file'
    for text in ('one', 'two'):
      workdir_lib.write_atomically(path, text)
      assert contents(tmp_path) == {path.relative_to(tmp_path): text.encode()}

  def test_keeps_the_old_file_when_writing_fails(self, tmp_path):
    path = tmp_path / 'file'
    workdir_lib.write_atomically(path, 'old')
    with pytest.raises(TypeError):
      workdir_lib.write_atomically(path, None)
    assert path.read_text() == 'old'
