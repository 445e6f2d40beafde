"""Saving and restoring trees of arrays, checked by content; the only file that knows orbax.

A step is written to a temporary name and renamed, so that a kill leaves no half of one. Digests of
every file, of every leaf and of the run are stored with it and verified: a damaged checkpoint is
an error or gives way to an older one, never a silently different model.
"""

import contextlib
import hashlib
import json
import logging
import pathlib
import shutil
import textwrap
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from maes_jax import errors
from maes_jax import files

KEEP = 2  # The newest and, should that be damaged, one to fall back to.
_LISTS = 64 * 1024  # Bytes that a step takes beside arrays and names, blocks being of 4 KiB.


def save(directory: pathlib.Path, step: int, tree: Any, run: str = ''):
  """Saves a tree of arrays as `step`, a step already there included; keeps the newest two.

  Of several processes one calls it, and waits for no other: it may be gone.

  Args:
    directory: where `restore` will look.
    step: how far the run is.
    tree: arrays.
    run: what tells this run from others, e.g. `Workdir.fingerprint`.

  Raises:
    UserError: the folder cannot be written or is full; the steps before this one are as they were.
  """
  item = ocp.args.Composite(state=ocp.args.PyTreeSave(jax.device_get(tree)))
  try:
    directory.mkdir(parents=True, exist_ok=True)
    _drop_unfinished(directory)
    _check_room(directory, tree)
    _drop_from(directory, step)
    with _orbax(directory) as there:
      there.save(step, args=item, custom_metadata={'digests': digests(tree), 'run': run})
    _forget_place(directory, step)
    _seal(directory, step)
  except (OSError, ValueError) as error:  # A full disk is a ValueError of tensorstore's.
    _drop_unfinished(directory)
    raise errors.UserError(f'cannot save a checkpoint in {directory}: {_reason(error)}; '
                           'free some space or use another workdir') from error


@contextlib.contextmanager
def _orbax(directory):
  """Orbax as it is used here: at once, quiet, and without a word to other processes."""
  this = jax.process_index()
  options = ocp.CheckpointManagerOptions(
      max_to_keep=KEEP, create=False, enable_async_checkpointing=False,
      multiprocessing_options=ocp.options.MultiprocessingOptions(
          primary_host=this, active_processes={this}))
  with _quiet(), ocp.CheckpointManager(directory.absolute(), options=options) as manager:
    yield manager


@contextlib.contextmanager
def _quiet():
  """Orbax logs tracebacks from its threads before it raises; what it raises says enough."""
  logger = logging.getLogger('absl')
  level = logger.level
  logger.setLevel(logging.CRITICAL)
  try:
    yield
  finally:
    logger.setLevel(level)


def _reason(error) -> str:
  """The start of what an error says; orbax can fill pages with a tree that it did not find."""
  return textwrap.shorten(str(error).strip() or type(error).__name__, 200, placeholder=' ...')


def _check_room(directory, tree):
  """Orbax runs into a full disk with several writes under way, and those that it leaves alone then
  print tracebacks from their threads."""
  leaves = jax.tree.leaves(tree)
  needed = sum(leaf.nbytes for leaf in leaves) + 1024 * len(leaves) + _LISTS
  free = shutil.disk_usage(directory).free
  if free < needed:
    raise OSError(f'the disk has {free // 1024} KiB free, a checkpoint takes {needed // 1024}')


def _drop_unfinished(directory):
  """What a save that failed or was killed has written takes up room for nothing."""
  for path in directory.glob('*.orbax-checkpoint-tmp'):
    shutil.rmtree(path, ignore_errors=True)
  for path in directory.glob('*.json.tmp'):
    path.unlink(missing_ok=True)


def _drop_from(directory, step):
  """The step to save and those beyond it go: they are damaged, the run was taken up before them."""
  for later in steps(directory):
    if later >= step:
      _seal_of(directory, later).unlink(missing_ok=True)
      shutil.rmtree(directory / str(later))


def _forget_place(directory, step):
  """Orbax notes the absolute path that it saved to; a checkpoint that is passed on need not."""
  for path in (directory / str(step)).rglob('commit_success.txt'):
    path.write_text('saved\n')


def _seal(directory, step):
  """Notes the digest of every file of a step that is whole; forgets steps that are gone."""
  found = {str(path.relative_to(directory)): files.digest(path)
           for path in sorted((directory / str(step)).rglob('*')) if path.is_file()}
  files.write_atomically(_seal_of(directory, step), json.dumps(found, indent=1))
  for path in directory.glob('*.json'):
    if int(path.stem) not in steps(directory):
      path.unlink()


def _seal_of(directory, step):
  return directory / f'{step}.json'


def _check_files(directory, step):
  """Orbax would notice damage too, in several pages; a kill before the seal left it to orbax."""
  for name, digest in _read_seal(_seal_of(directory, step)).items():
    if not (directory / name).exists():
      raise ValueError(f'{name} is missing')
    if files.digest(directory / name) != digest:
      raise ValueError(f'{name} is not what was saved')


def steps(directory: pathlib.Path) -> list[int]:
  """The steps saved there, newest first."""
  if not directory.is_dir():
    return []
  return sorted((int(path.name) for path in directory.iterdir() if path.name.isdigit()),
                reverse=True)


def saved_digests(directory: pathlib.Path) -> dict[int, dict[str, str]]:
  """By step, the `digests` of the tree that was saved."""
  with _orbax(directory) as there:
    return {step: there.metadata(step).custom_metadata['digests'] for step in steps(directory)}


def restore(directory: pathlib.Path, like: Any, run: str = '') -> tuple[int, Any]:
  """Restores the newest intact step.

  Args:
    directory: where `save` wrote.
    like: arrays or shapes for the part of the tree that is wanted; the rest is not read.
    run: what `save` was given; a step of another run counts as damaged.

  Returns:
    The step and the restored tree in the memory of this process, in the structure of `like`.

  Raises:
    UserError: no checkpoint is there, or none is intact or has these shapes.
  """
  failures = []
  for step in steps(directory):
    try:
      return step, jax.device_get(_load(directory, step, like, run))
    except Exception as error:  # pylint: disable=broad-except; orbax raises all kinds
      failures.append(f'step {step}: {_reason(error)}')
      logging.getLogger(__name__).warning('checkpoint %s %s', directory, failures[-1])
  if failures:
    raise errors.UserError(f'no intact checkpoint in {directory} ({"; ".join(failures)}); '
                           'restore the folder from a copy or train again')
  raise errors.UserError(f'no checkpoint in {directory}; give the workdir of a training run')


def _read_seal(path) -> dict[str, str]:
  try:
    return dict(json.loads(path.read_text())) if path.exists() else {}
  except (TypeError, ValueError) as error:
    raise ValueError(f'{path.name} is damaged') from error


def _load(directory, step, like, run):
  _check_files(directory, step)
  with _orbax(directory) as there:
    saved = there.metadata(step).custom_metadata
    if saved.get('run', run) != run:  # Checkpoints of version 0.1 name no run.
      raise ValueError('it was saved by a run of another config')
    tree = there.restore(step, args=ocp.args.Composite(state=_part(like)))['state']
  _verify(tree, saved['digests'], like)
  return tree


def _part(like):
  """Orbax's words for a part of a tree, wanted on one device."""
  place = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  wanted = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
                        like)
  return ocp.args.PyTreeRestore(
      wanted, ocp.checkpoint_utils.construct_restore_args(wanted), partial_restore=True)


def _verify(tree, saved, like):
  for path, digest in digests(tree).items():
    if saved.get(path) != digest:
      raise ValueError(f'{path} is not what was saved')
  for wanted, found in zip(jax.tree.leaves(like), jax.tree.leaves(tree), strict=True):
    if wanted.shape != found.shape:
      raise ValueError(f'shape {found.shape} was saved, {wanted.shape} is wanted')


def digests(tree) -> dict[str, str]:
  """A digest of the shape, type and bytes of every leaf, by its path."""
  found = {}
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    array = np.asarray(leaf)
    content = f'{array.dtype} {array.shape} '.encode() + array.tobytes()
    found[jax.tree_util.keystr(path)] = hashlib.blake2b(content, digest_size=16).hexdigest()
  return found
