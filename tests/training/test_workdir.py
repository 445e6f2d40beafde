"""Who may use which folder, and what is left of it when something goes wrong."""

import dataclasses
import json
import os
import pathlib

from matplotlib import pyplot
import pytest

from maes_jax import errors
from maes_jax import figures
from maes_jax import families
from maes_jax import models
from maes_jax import recipes
from maes_jax import trained
from maes_jax.config import Config
from maes_jax.training import run
from maes_jax.training import workdir as workdir_lib
from maes_jax.training.workdir import Workdir

CONFIG = families.resolve(Config(seeds=2, task_weights=(1.,)))


@pytest.fixture
def claimed(tmp_path):
  workdir = Workdir(tmp_path / 'a' / 'run')
  claim(workdir, CONFIG)
  return workdir


def claim(workdir, config):
  with workdir.claim(config):
    pass


def contents(folder):
  return {path.relative_to(folder): path.read_bytes()
          for path in folder.rglob('*') if path.is_file()}


def test_claim_makes_a_folder_that_knows_its_config(claimed):
  assert claimed.read_config() == CONFIG
  assert json.loads((claimed.path / 'config.json').read_text())['seeds'] == 2
  assert {path.name for path in claimed.path.iterdir()} == {'config.json', 'lock'}


def test_only_one_at_a_time(claimed):
  with (claimed.claim(CONFIG), pytest.raises(errors.UserError, match=f'process {os.getpid()} on'),
        claimed.claim(CONFIG)):
    pass
  claim(claimed, CONFIG)


def test_checkpoints_without_a_config_are_not_gone_on_with(claimed):
  """Flags alone may say something else than what the checkpoints were trained with."""
  claimed.checkpoints.mkdir()
  (claimed.path / 'config.json').unlink()
  with pytest.raises(errors.UserError, match=r'no config\.json'):
    claim(claimed, CONFIG)
  assert not (claimed.path / 'config.json').exists()


def test_fingerprint_tells_configs_apart(claimed, tmp_path):
  others = [Workdir(tmp_path / name) for name in ('same', 'other')]
  claim(others[0], CONFIG)
  claim(others[1], dataclasses.replace(CONFIG, seed=1))
  assert claimed.fingerprint == others[0].fingerprint != others[1].fingerprint


def test_same_config_may_come_again(claimed):
  before = contents(claimed.path)
  claim(claimed, dataclasses.replace(CONFIG))
  assert contents(claimed.path) == before


def test_a_run_from_before_an_option_existed_goes_on(claimed):
  file = claimed.path / 'config.json'
  values = json.loads(file.read_text())
  del values['half_life']
  file.write_text(json.dumps(values))
  claim(claimed, CONFIG)
  assert claimed.read_config() == CONFIG


def test_a_run_from_before_restarts_goes_on_without_whatever_its_recipe_says_now(
    claimed, monkeypatch):
  file = claimed.path / 'config.json'
  values = json.loads(file.read_text())
  del values['restart_every']
  file.write_text(json.dumps(values))
  monkeypatch.setitem(recipes.COMMON, 'restart_every', 5000)
  assert claimed.read_config().restart_every == 0


def test_a_run_from_before_a_task_had_other_heads_answers_as_it_did(claimed):
  now = families.resolve(dataclasses.replace(CONFIG, task=('interruption_swap',), memory=60))
  values = json.loads(now.to_json())
  del values['solvers']
  (claimed.path / 'config.json').write_text(json.dumps(values))
  heads = {name: cell.head for name, cell in models.build(claimed.read_config()).solvers.items()}
  assert heads.pop('interruption_swap/y_solver') == 'jump'
  assert set(heads.values()) == {'shift'}


def test_a_run_from_before_cells_were_blind_has_cells_that_read_and_keep(claimed):
  now = families.resolve(dataclasses.replace(
      CONFIG, task=('interruption_swap',), memory=60, solvers=None))
  values = json.loads(now.to_json())
  for options in values['solvers'].values():
    for name in ('blind', 'overwrite'):
      options.pop(name, None)
  (claimed.path / 'config.json').write_text(json.dumps(values))
  solvers = models.build(claimed.read_config()).solvers
  assert not any(cell.blind or cell.overwrite for cell in solvers.values())
  assert solvers['interruption_swap/y_halfway'].head == 'sharp'


def test_other_config_is_an_error_that_names_the_fields_and_changes_nothing(claimed):
  before = contents(claimed.path)
  other = dataclasses.replace(CONFIG, seeds=3, learning_rate=.5)
  with pytest.raises(errors.UserError, match=r'seeds: 2, not 3; learning_rate: 0.02, not 0.5'):
    claim(claimed, other)
  assert contents(claimed.path) == before


@pytest.mark.parametrize('text', ['', '{"seeds": 2', 'null\x00', '[]', '3', '{"seeds": "two"}'])
def test_damaged_config_is_an_error(claimed, text):
  (claimed.path / 'config.json').write_text(text)
  with pytest.raises(errors.UserError):
    claimed.read_config()
  with pytest.raises(errors.UserError):
    claim(claimed, CONFIG)


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
      claim(Workdir(path), CONFIG)
  assert (tmp_path / 'file').read_text() == 'mine'


@pytest.mark.parametrize('text', [
    '[' * 200_000, '{"task":' * 200_000, '{"model": "' + 'x' * 20_000_000 + '"}',
    '{"' + 'x' * 500_000 + '": 1}', '{"model": "\\u001b[2J"}', '{"\\u001b[2J": 1}'],
    ids=lambda text: text[:12])
def test_a_hostile_config_is_one_short_line_of_plain_signs(claimed, text):
  (claimed.path / 'config.json').write_text(text)
  for call in (lambda: claim(claimed, CONFIG), lambda: trained.load(claimed.path)):
    with pytest.raises(errors.UserError) as error:
      call()
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 3000


@pytest.mark.parametrize('make', [os.mkfifo, lambda path: path.symlink_to('/dev/zero')])
def test_a_config_that_is_no_file_is_an_error(claimed, make):
  (claimed.path / 'config.json').unlink()
  make(claimed.path / 'config.json')
  with pytest.raises(errors.UserError, match='no regular file'):
    claimed.read_config()


def test_a_link_to_a_config_is_read(claimed):
  (claimed.path / 'config.json').rename(claimed.path / 'elsewhere')
  (claimed.path / 'config.json').symlink_to(claimed.path / 'elsewhere')
  assert claimed.read_config() == CONFIG


class TestPaths:

  def test_home(self, monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    claim(Workdir('~/run'), CONFIG)
    assert (tmp_path / 'run' / 'config.json').exists()
    workdir_lib.write_text(pathlib.Path('~/file'), 'text')
    assert (tmp_path / 'file').read_text() == 'text'
    with pytest.raises(errors.UserError, match='no checkpoint in'):
      trained.load('~/run')

  def test_a_bucket_is_told_in_a_line_before_anything_is_made(self, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (lambda: run.train(Config(), 'gs://bucket/run'),
                 lambda: run.train(Config(encoder='s3://bucket/run', task=('odd_recall',)), 'run'),
                 lambda: trained.load('gs://bucket/run'),
                 lambda: workdir_lib.write_text(pathlib.Path('s3://bucket/x.json'), '{}'),
                 lambda: figures.save(pyplot.figure(), pathlib.Path('gs://bucket/x.png'))):
      with pytest.raises(errors.UserError, match='no path of this machine: mount the bucket'):
        call()
    assert not list(tmp_path.iterdir())


def test_what_a_kill_left_of_files_is_gone_after_the_next_claim(claimed):
  left = claimed.path / f'.config.json.{"0" * 16}.tmp'
  left.write_text('{')
  (claimed.path / '.mine.tmp').write_text('mine')
  claim(claimed, CONFIG)
  assert not left.exists()
  assert (claimed.path / '.mine.tmp').exists()


def test_runs_of_before_the_phase_bit_have_none(tmp_path):
  """A config.json that does not name it yet: read as what was trained, not by today's recipe."""
  config = families.resolve(Config(model='ntm'))
  assert config.phase_bit and config.ring == 'drawn'
  workdir = Workdir(tmp_path / 'run')
  claim(workdir, config)
  values = json.loads((workdir.path / 'config.json').read_text())
  del values['phase_bit'], values['ring']
  (workdir.path / 'config.json').write_text(json.dumps(values))
  before = workdir.read_config()
  assert before.phase_bit is False and before.ring == 'whole'
  assert models.build(before).inputs == 10 and models.build(config).inputs == 11


def test_runs_of_before_the_first_biases_are_given_none(tmp_path):
  """A baseline's config.json as it was written then."""
  values = json.loads(families.resolve(Config(model='ntm', recipe='curriculum')).to_json())
  del values['phase_bit'], values['ring']
  values |= {'cell': {}, 'learning_rate': .005, 'validate_every': 500, 'clip': 10.}
  (tmp_path / 'config.json').write_text(json.dumps(values))
  before = Workdir(tmp_path).read_config()
  assert before.cell == {} and before.learning_rate == .005 and before.clip == 10.
