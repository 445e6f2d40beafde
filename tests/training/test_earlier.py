"""Folders that version 0.1 wrote: they load and go on, whatever JAX counts in, wherever they are.

`earlier/` holds a run of `Tiny` that is done and one on its encoder, frozen, that was stopped.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from maes_jax import checkpoints
from maes_jax import errors
from maes_jax import families
from maes_jax import trained
from maes_jax.training import metrics
from maes_jax.training import run
from maes_jax.training.workdir import Workdir
from tests.training.tiny import Tiny

ROOT = pathlib.Path(__file__).parents[2]
EARLIER = pathlib.Path(__file__).parent / 'earlier'
# Prints digests of all that is restored, in the types in which it comes.
RESTORE = """
import json, sys
from maes_jax import checkpoints, families, models, trained
from maes_jax.training import loop
from maes_jax.training.trainer import Trainer
from maes_jax.training.workdir import Workdir
from tests.training.tiny import Tiny
families.FAMILIES['tiny'] = families.Family(Tiny, tied=True)
found = {name: checkpoints.digests(trained.load(name).saved) for name in trained.shipped()}
workdir = Workdir(sys.argv[1])
config = workdir.read_config()
given = {'encoder': trained.load(sys.argv[2], only='encoder').params['encoder']}
trainer = Trainer(config, models.build(config), frozen=('encoder',))
state, _ = loop.restore(trainer, workdir, given)
print(json.dumps({**found, 'state': checkpoints.digests(state._asdict())}))
"""


@pytest.fixture(autouse=True)
def family(monkeypatch):
  monkeypatch.setitem(families.FAMILIES, 'tiny', families.Family(Tiny, tied=True))


@pytest.fixture
def folder(tmp_path):
  return shutil.copytree(EARLIER, tmp_path / 'earlier')


def given(folder):
  return {'encoder': trained.load(folder / 'encoder', only='encoder').params['encoder']}


def moved(folder, **changes):
  """The config of the stopped run, its encoder being where it is now."""
  config = Workdir(folder / 'frozen').read_config()
  assert not pathlib.Path(config.encoder).exists()
  return dataclasses.replace(config, encoder=str(folder / 'encoder'), **changes)


def claim(workdir, config, encoder):
  with workdir.claim(config, encoder):
    pass


def other(tree):
  return jax.tree.map(lambda leaf: leaf + np.float32(1), tree)


def restored(x64):
  """What a process of its own prints."""
  done = subprocess.run(
      [sys.executable, '-c', RESTORE, str(EARLIER / 'frozen'), str(EARLIER / 'encoder')], cwd=ROOT,
      env={**os.environ, 'JAX_ENABLE_X64': x64, 'JAX_PLATFORMS': 'cpu'}, capture_output=True,
      text=True, check=False)
  assert not done.returncode, done.stderr
  return json.loads(done.stdout)


def test_what_comes_back_does_not_depend_on_x64():
  """All shipped models, and the state of a run with its optimizer, bit for bit, type for type."""
  here, wide = restored('0'), restored('1')
  assert len(here) == 1 + len(trained.shipped())
  assert here == wide
  (saved,) = checkpoints.saved_digests(EARLIER / 'frozen' / 'checkpoints').values()
  assert here['state'].items() <= saved.items()


def test_a_run_goes_on_with_its_encoder_from_another_place(folder):
  state = run.train(moved(folder), folder / 'frozen')
  assert (state.iteration == 200).all()
  assert [row['iteration'] for row in metrics.read(folder / 'frozen' / 'metrics.jsonl')] == [
      100, 100, 200, 200]
  for leaf, kept in zip(jax.tree.leaves(given(folder)['encoder']),
                        jax.tree.leaves(state.params['encoder'])):
    np.testing.assert_array_equal(np.broadcast_to(leaf, kept.shape), kept)


def test_another_encoder_is_refused(folder):
  workdir = Workdir(folder / 'frozen')
  with pytest.raises(errors.UserError, match="encoder: that of 'encoder' as it was, not what"):
    claim(workdir, moved(folder), other(given(folder)))


def test_one_that_was_trained_on_is_known_by_its_place_alone(folder, monkeypatch):
  """Its numbers are gone from the checkpoints, and version 0.1 did not note them."""
  file = folder / 'frozen' / 'config.json'
  file.write_text(json.dumps({**json.loads(file.read_text()), 'unfreeze': True}))
  with pytest.raises(errors.UserError, match='encoder: that of'):
    claim(Workdir(folder / 'frozen'), moved(folder), given(folder))
  monkeypatch.chdir(folder)
  config = Workdir('frozen').read_config()
  claim(Workdir('frozen'), config, given(folder))
  claim(Workdir('frozen'), dataclasses.replace(config, encoder=str(folder / 'encoder')),
        given(folder))


class TestNow:
  """Folders that this version writes note what their encoder is."""

  @pytest.fixture
  def workdir(self, folder):
    workdir = Workdir(folder / 'new')
    claim(workdir, moved(folder, unfreeze=True), given(folder))
    return workdir

  def test_the_config_reads_as_ever(self, workdir, folder):
    assert workdir.read_config() == moved(folder, unfreeze=True)

  def test_the_same_one_from_any_place_and_by_its_number(self, workdir, folder):
    best = trained.load(folder / 'encoder').index
    for change in ({'encoder': 'elsewhere'}, {'encoder_model': best}):
      claim(workdir, dataclasses.replace(workdir.read_config(), **change), given(folder))

  def test_another_one_in_the_same_place_is_refused(self, workdir, folder):
    before = (workdir.path / 'config.json').read_bytes()
    with pytest.raises(errors.UserError, match=r'encoder: that of .* as it was, not what'):
      claim(workdir, workdir.read_config(), other(given(folder)))
    assert (workdir.path / 'config.json').read_bytes() == before

  def test_other_differences_are_told_too(self, workdir, folder):
    config = dataclasses.replace(workdir.read_config(), encoder='elsewhere', seed=7)
    with pytest.raises(errors.UserError, match=r'\(seed: 0, not 7\)'):
      claim(workdir, config, given(folder))
