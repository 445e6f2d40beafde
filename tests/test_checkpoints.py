"""Checkpoints come back bit for bit, in part where asked, and never silently wrong."""

import errno
import os
import shutil
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import checkpoints
from maes_jax import errors


def tree(step):
  """Every kind of leaf that a training state has; other numbers at every step."""
  numbers = step + jnp.arange(12.).reshape(2, 2, 3) / 7
  return {
      'params': {'encoder': {'w': numbers}, 'solvers': {'a': {'b': -numbers[0]}}},
      'optimizer': ({}, (numbers**2, jnp.array([step, 2**31 - 1]))),
      'loss': jnp.array([jnp.inf, 1e-40]),
      'iteration': jnp.array([step, -1]),
  }


def shapes(step=0):
  return jax.eval_shape(lambda: tree(step))


def assert_same(found, wanted):
  """Structure, types and every bit."""
  assert jax.tree.structure(found) == jax.tree.structure(wanted)
  for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted)):
    assert one.dtype == other.dtype
    assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
  """A folder with steps 100 and 200; tests that change it work on a copy."""
  folder = tmp_path_factory.mktemp('saved')
  for step in (100, 200):
    checkpoints.save(folder, step, tree(step))
  return folder


@pytest.fixture
def folder(saved, tmp_path):
  return shutil.copytree(saved, tmp_path / 'checkpoints')


def test_newest_comes_back_bit_for_bit(saved):
  step, found = checkpoints.restore(saved, shapes())
  assert step == 200
  assert_same(found, tree(200))


def test_comes_back_into_the_memory_of_the_process(saved):
  """Nothing then ties it to a device, or makes a program compile again."""
  _, found = checkpoints.restore(saved, shapes())
  assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(found))


def test_part_of_it_comes_back_alone(saved):
  like = {'params': {'encoder': shapes()['params']['encoder']}}
  _, found = checkpoints.restore(saved, like)
  assert_same(found, {'params': {'encoder': tree(200)['params']['encoder']}})


def test_what_a_killed_save_left_is_gone_after_the_next(tmp_path):
  (tmp_path / '100.json.tmp').write_text('{')
  (tmp_path / '100.orbax-checkpoint-tmp').mkdir()
  checkpoints.save(tmp_path, 200, tree(200))
  assert sorted(path.name for path in tmp_path.iterdir()) == ['200', '200.json']


@pytest.mark.parametrize('step', [200, 300])
def test_a_disk_with_no_room_for_a_step_is_not_written_to(saved, monkeypatch, step):
  """Not even begun: orbax would leave its threads complaining."""
  before = {path: path.read_bytes() for path in saved.rglob('*') if path.is_file()}
  full = types.SimpleNamespace(free=1024)
  monkeypatch.setattr(checkpoints.shutil, 'disk_usage', lambda path: full)
  with pytest.raises(errors.UserError, match='has 1 KiB free, a checkpoint takes'):
    checkpoints.save(saved, step, tree(step))
  assert before == {path: path.read_bytes() for path in saved.rglob('*') if path.is_file()}


def test_no_file_tells_where_it_was_saved(folder):
  """Checkpoints are moved and passed on."""
  place = str(folder).encode()
  assert not [path for path in folder.rglob('*') if path.is_file() and place in path.read_bytes()]


def test_relative_folder(saved, monkeypatch):
  monkeypatch.chdir(saved.parent)
  step, _ = checkpoints.restore(saved.relative_to(saved.parent), shapes())
  assert step == 200


def test_keeps_the_newest_two(folder):
  checkpoints.save(folder, 300, tree(300))
  assert checkpoints.steps(folder) == [300, 200]


def test_saves_over_a_step(folder):
  checkpoints.save(folder, 200, tree(7))
  step, found = checkpoints.restore(folder, shapes())
  assert step == 200
  assert_same(found, tree(7))


def test_saves_below_a_damaged_step(folder):
  """A run that fell back to step 100 and is stopped at 150 must find 150 again."""
  shutil.rmtree(folder / '200' / 'state')
  checkpoints.save(folder, 150, tree(150))
  step, found = checkpoints.restore(folder, shapes())
  assert step == 150
  assert_same(found, tree(150))


def test_none_there_is_an_error(tmp_path):
  for folder in (tmp_path, tmp_path / 'nowhere'):
    assert checkpoints.steps(folder) == []
    with pytest.raises(errors.UserError, match=r'no checkpoint in .*give the workdir'):
      checkpoints.restore(folder, shapes())


def test_no_room_is_an_error(tmp_path):
  (tmp_path / 'file').write_text('mine')
  with pytest.raises(errors.UserError, match='cannot save'):
    checkpoints.save(tmp_path / 'file' / 'checkpoints', 1, tree(1))


@pytest.mark.parametrize('trouble', [
    OSError(errno.ENOSPC, 'No space left on device'),
    ValueError('RESOURCE_EXHAUSTED: Failed writing: No space left on device')], ids=repr)
def test_a_full_disk_leaves_what_was_saved(folder, monkeypatch, trouble):
  """Orbax gives up in the middle of a step, with whatever it has written."""
  def fail(unused_self, path, **unused):
    path.with_name(f'{path.name}.orbax-checkpoint-tmp').mkdir()
    raise trouble

  before = sorted(folder.rglob('*'))
  monkeypatch.setattr(checkpoints.ocp.Checkpointer, 'save', fail)
  with pytest.raises(errors.UserError, match=r'cannot save .*No space left.*free some space'):
    checkpoints.save(folder, 300, tree(300))
  assert sorted(folder.rglob('*')) == before
  step, found = checkpoints.restore(folder, shapes())
  assert step == 200
  assert_same(found, tree(200))


def test_a_step_of_another_run_is_not_taken(folder):
  checkpoints.save(folder, 300, tree(300), run='another')
  with pytest.raises(errors.UserError, match='step 300: it was saved by a run of another config'):
    checkpoints.restore(folder, shapes(), run='this')
  step, _ = checkpoints.restore(folder, shapes(), run='another')
  assert step == 300


def test_a_kill_before_the_seal_costs_nothing(folder):
  (folder / '200.json').unlink()
  step, found = checkpoints.restore(folder, shapes())
  assert step == 200
  assert_same(found, tree(200))


def test_damage_is_told_in_a_line_that_names_the_file(folder, caplog):
  flip_a_bit(folder / '200' / 'state' / 'manifest.ocdbt')
  checkpoints.restore(folder, shapes())
  (line,) = caplog.messages
  assert line.endswith('step 200: 200/state/manifest.ocdbt is not what was saved')


@pytest.mark.parametrize('shape', [(2, 2, 4), (2, 2, 2), (1, 2, 3), (12,), ()], ids=str)
def test_other_shape_is_an_error(saved, shape):
  """Neither cut, nor padded, nor repeated."""
  like = {'params': {'encoder': {'w': jax.ShapeDtypeStruct(shape, jnp.float32)}}}
  with pytest.raises(errors.UserError, match='no intact checkpoint'):
    checkpoints.restore(saved, like)


@pytest.mark.parametrize('like', [
    {'params': {'encoder': {'nothing': jax.ShapeDtypeStruct((2, 2, 3), jnp.float32)}}},
    {'params': {'encoder': {'w': jax.ShapeDtypeStruct((2, 2, 3), jnp.int32)}}},
], ids=['name', 'type'])
def test_other_name_or_type_is_an_error(saved, like):
  with pytest.raises(errors.UserError, match='no intact checkpoint'):
    checkpoints.restore(saved, like)


def flip_a_bit(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def cut(path):
  os.truncate(path, path.stat().st_size // 2)


def empty(path):
  os.truncate(path, 0)


def delete(path):
  path.unlink()


@pytest.mark.parametrize('damage', [flip_a_bit, cut, empty, delete])
def test_damage_to_any_file_gives_way_to_the_older_step_or_does_no_harm(folder, damage):
  files = sorted(path for path in (folder / '200').rglob('*') if path.is_file())
  for path in (folder / '200.json', *files):
    whole = path.read_bytes()
    damage(path)
    step, found = checkpoints.restore(folder, shapes())
    assert_same(found, tree(step))
    path.write_bytes(whole)


def test_damage_to_every_step_is_an_error_of_one_line(folder):
  for step in (100, 200):
    for path in (folder / str(step)).rglob('d/*'):
      flip_a_bit(path)
  with pytest.raises(errors.UserError, match=r'step 200: .*; step 100: .*train again') as error:
    checkpoints.restore(folder, shapes())
  assert '\n' not in str(error.value)


def test_a_save_cut_short_is_not_a_step(folder):
  """A kill leaves a temporary folder, never a number."""
  (folder / '300.orbax-checkpoint-tmp').mkdir()
  step, _ = checkpoints.restore(folder, shapes())
  assert step == 200


def test_changed_values_with_a_whole_file_are_found_out(folder, tmp_path):
  """A step put together from two others is intact for the storage, but not what was saved."""
  state = folder / '200' / 'state'
  shutil.rmtree(state)
  shutil.copytree(folder / '100' / 'state', state)
  step, found = checkpoints.restore(folder, shapes())
  assert step == 100
  assert_same(found, tree(100))
