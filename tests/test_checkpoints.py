"""Checkpoints come back bit for bit, in part where asked, and never silently wrong."""

import asyncio
from concurrent import futures
import contextlib
import errno
import json
import os
import resource
import shutil
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import checkpoints
from maes_jax import errors
from maes_jax import stored


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
  monkeypatch.setattr(stored.ocp.Checkpointer, 'save', fail)
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


class TestTypes:
  """Precision is as it was saved, whatever JAX counts in."""

  WIDE = types.MappingProxyType({'w': np.arange(3.), 'n': np.arange(3), 'flag': np.array(True)})

  def like(self, floats, whole):
    return {'w': jax.ShapeDtypeStruct((3,), floats), 'n': jax.ShapeDtypeStruct((3,), whole),
            'flag': jax.ShapeDtypeStruct((), np.bool_)}

  @pytest.mark.parametrize('floats', [np.float64, np.float32, jnp.bfloat16])
  @pytest.mark.parametrize('whole', [np.int64, np.int32, np.uint8])
  @pytest.mark.parametrize('saved', [(np.float64, np.int64), (np.float32, np.int32)])
  def test_comes_back_as_saved(self, tmp_path, floats, whole, saved):
    tree = {'w': np.arange(3.).astype(saved[0]), 'n': np.arange(3).astype(saved[1]),
            'flag': np.array(True)}
    checkpoints.save(tmp_path, 1, tree)
    _, found = checkpoints.restore(tmp_path, self.like(floats, whole))
    assert_same(found, tree)

  def test_half_precision(self, tmp_path):
    tree = {'w': np.arange(3).astype(jnp.bfloat16)}
    checkpoints.save(tmp_path, 1, tree)
    _, found = checkpoints.restore(tmp_path, {'w': jax.ShapeDtypeStruct((3,), np.float32)})
    assert_same(found, tree)


def trouble_in(monkeypatch, error):
  """Every step is read up to some point, where this happens."""
  def fail(*unused, **unused_too):
    raise error
  monkeypatch.setattr(stored.ocp.Checkpointer, 'restore', fail)


def caused_by(error):
  """As orbax's threads have it: one error from another."""
  outer = ValueError('could not read')
  outer.__cause__ = error
  return outer


class TestNoDamage:
  """A whole step gives way to an older one for damage alone; it would be lost."""

  @pytest.mark.parametrize('error', [
      KeyboardInterrupt(), MemoryError(), SystemExit(1)], ids=repr)
  @pytest.mark.parametrize('wrap', [lambda error: error, caused_by,
                                    lambda error: BaseExceptionGroup('several', [error])])
  def test_an_interrupt_or_want_of_memory_comes_through(self, folder, monkeypatch, error, wrap):
    trouble_in(monkeypatch, wrap(error))
    with pytest.raises((type(error), BaseExceptionGroup)):
      checkpoints.restore(folder, shapes())

  @pytest.mark.parametrize('error', [asyncio.CancelledError(), futures.CancelledError()], ids=repr)
  def test_a_cancelled_task_is_an_interrupt(self, folder, monkeypatch, error):
    trouble_in(monkeypatch, caused_by(error))
    with pytest.raises(KeyboardInterrupt):
      checkpoints.restore(folder, shapes())

  @pytest.mark.parametrize('error', [
      OSError(errno.EMFILE, 'Too many open files'), OSError(errno.ENFILE, 'in the whole system'),
      OSError(errno.ENOMEM, 'Cannot allocate memory'), RuntimeError("can't start new thread"),
      ValueError('[OS error 24: EMFILE Too many open files]'),
      PermissionError(errno.EACCES, 'Permission denied')], ids=repr)
  @pytest.mark.parametrize('wrap', [lambda error: error, caused_by])
  def test_what_passes_is_an_error_that_leaves_all_as_it_is(
      self, folder, monkeypatch, error, wrap):
    before = sorted(folder.rglob('*'))
    with monkeypatch.context() as patch:
      trouble_in(patch, wrap(error))
      with pytest.raises(errors.UserError, match=r'200 cannot be read: .*left as it is: mend that'):
        checkpoints.restore(folder, shapes())
    assert sorted(folder.rglob('*')) == before
    assert checkpoints.restore(folder, shapes())[0] == 200

  def test_too_few_descriptors_in_earnest(self, folder):
    """A process that has none left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 300), hard))
    try:
      with contextlib.suppress(OSError):
        while True:
          taken.append(os.open(os.devnull, os.O_RDONLY))
      with pytest.raises(errors.UserError, match='Too many open files'):
        checkpoints.restore(folder, shapes())
    finally:
      for descriptor in taken:
        os.close(descriptor)
      resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert checkpoints.restore(folder, shapes())[0] == 200

  def test_a_live_run_may_drop_the_steps_that_were_listed(self, folder, monkeypatch):
    """Once more, with those that it saved since."""
    load, calls = checkpoints._load, []

    def late(directory, step, *rest):
      calls.append(step)
      if len(calls) == 1:
        for new in (300, 400):
          checkpoints.save(folder, new, tree(new))
      return load(directory, step, *rest)

    monkeypatch.setattr(checkpoints, '_load', late)
    step, found = checkpoints.restore(folder, shapes())
    assert step == 400
    assert_same(found, tree(400))


STRAY = ('notes.json', '200 (copy).json', '9999', '0300', '+300', '3_0', 'a.json', '.DS_Store')
STRAY_FOLDERS = ('²', '٣٠٠', '200 (copy)', '-1', '1e3', '00', 'x.saving')


class TestStrayFiles:
  """Only what we write is read, and nothing else is touched."""

  @pytest.fixture
  def crowded(self, folder):
    for name in STRAY:
      (folder / name).write_text('mine')
    for name in STRAY_FOLDERS:
      (folder / name).mkdir()
      (folder / name / 'file').write_text('mine')
    (folder / '7777').symlink_to(folder / '200')
    return folder

  def test_steps_are_what_was_saved(self, crowded):
    assert checkpoints.steps(crowded) == [200, 100]
    assert checkpoints.restore(crowded, shapes())[0] == 200
    assert list(checkpoints.saved_digests(crowded)) == [200, 100]

  def test_saving_goes_on_and_leaves_them_alone(self, crowded):
    for step in (300, 400, 500):
      checkpoints.save(crowded, step, tree(step))
    assert checkpoints.steps(crowded) == [500, 400]
    assert sorted(path.name for path in crowded.iterdir()) == sorted(
        [*STRAY, *STRAY_FOLDERS, '7777', '400', '400.json', '500', '500.json'])
    for name in STRAY:
      assert (crowded / name).read_text() == 'mine'

  def test_one_that_is_in_the_way_is_named(self, crowded):
    with pytest.raises(errors.UserError, match='9999 is in the way of step 9999; move it'):
      checkpoints.save(crowded, 9999, tree(9999))
    assert checkpoints.steps(crowded) == [200, 100]
    assert not list(crowded.glob('*.saving*/*/'))


class TestHostile:
  """What a file names or claims is not followed or believed."""

  @pytest.mark.parametrize('name', [
      '/dev/zero', '/etc/passwd', '../outside', '200/../../outside', '100/_CHECKPOINT_METADATA',
      '200/pipe', '', '.', '200'])
  def test_a_seal_that_names_what_is_no_file_of_its_step(self, folder, name):
    (folder.parent / 'outside').write_text('secret')
    seal = folder / '200.json'
    digest = checkpoints.files.digest(folder.parent / 'outside')
    seal.write_text(json.dumps({**json.loads(seal.read_text()), name: digest}))
    assert checkpoints.restore(folder, shapes())[0] == 100

  @pytest.mark.parametrize('make', [
      os.mkfifo, lambda path: path.symlink_to('/dev/zero'), lambda path: path.symlink_to('/'),
      lambda path: path.symlink_to(path.parent / '_METADATA')])
  def test_a_step_that_holds_anything_but_files(self, folder, make, caplog):
    make(folder / '200' / 'state' / 'odd')
    assert checkpoints.restore(folder, shapes())[0] == 100
    assert caplog.messages[0].endswith('step 200: 200/state/odd is no regular file')

  @pytest.mark.parametrize('make', [os.mkfifo, lambda path: path.symlink_to('/dev/zero')])
  @pytest.mark.parametrize('name', ['200.json', '200/_CHECKPOINT_METADATA',
                                    '200/state/manifest.ocdbt'])
  def test_a_pipe_or_an_endless_device_in_a_files_place(self, folder, make, name):
    (folder / name).unlink()
    make(folder / name)
    assert checkpoints.restore(folder, shapes())[0] == 100

  @pytest.mark.parametrize('content', [
      '[' * 200_000, '{"a":' * 200_000, '[]', '3', 'null', '"' + 'x' * 20_000_000 + '"',
      '{"200/x": 3}'], ids=lambda content: content[:9])
  @pytest.mark.parametrize('name', ['200.json', '200/_CHECKPOINT_METADATA', '200/state/_METADATA'])
  def test_odd_json(self, folder, name, content, caplog):
    (folder / name).write_text(content)
    if name != '200.json':
      (folder / '200.json').unlink()
    assert checkpoints.restore(folder, shapes())[0] == 100
    assert all(len(line) < 500 for line in caplog.messages)

  @pytest.mark.parametrize('name', ['200.json', '200/state/odd'])
  def test_a_file_that_is_far_too_large(self, folder, name):
    """It takes no room on the disk, but would take hours to read."""
    (folder / name).touch()
    os.truncate(folder / name, 2**42)
    assert checkpoints.restore(folder, shapes())[0] == 100

  def test_signs_that_a_terminal_obeys_are_spelled_out(self, folder):
    for step in (100, 200):
      (folder / str(step) / 'state' / '_METADATA').unlink()
      seal = folder / f'{step}.json'
      seal.write_text(json.dumps({'\x1b[2Jgone': '', **json.loads(seal.read_text())}))
    with pytest.raises(errors.UserError, match=r'step 200: \\x1b\[2Jgone is missing'):
      checkpoints.restore(folder, shapes())

  def test_sizes_that_no_machine_has_are_refused(self, folder):
    like = {'params': {'encoder': {'w': jax.ShapeDtypeStruct((2**30, 2**20), np.float32)}}}
    with pytest.raises(errors.UserError, match=r'takes 4,194,304\.00 GiB, there are'):
      checkpoints.restore(folder, like)


class TestCheck:
  """Who no longer owns the folder writes nothing into it."""

  @pytest.mark.parametrize('number', [1, 2, 3])
  def test_asked_before_every_change(self, folder, number):
    left = iter(range(number - 1))

    def check():
      if next(left, None) is None:
        raise errors.UserError('no longer mine')

    before = sorted(folder.rglob('*'))
    with pytest.raises(errors.UserError, match='no longer mine'):
      checkpoints.save(folder, 300, tree(300), check=check)
    if number < 3:
      assert sorted(folder.rglob('*')) == before
    assert not (folder / '300.json').exists()
