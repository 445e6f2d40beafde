"""Saving and restoring trees of arrays, checked by content; `stored` has them written and read.

A step is written to a temporary name, put on the disk, renamed and sealed, so that neither a kill
nor a power cut leaves half of one. Digests of every file, of every leaf and of the run are stored
with it and verified: a damaged checkpoint is an error or gives way to an older one, never a
silently different model. Only what `save` writes is read; whatever else lies there is left alone.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
import concurrent.futures
import contextlib
import errno
import hashlib
import json
import logging
import math
import os
import pathlib
import re
import secrets
import shutil
import stat
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import devices
from maes_jax import errors
from maes_jax import files
from maes_jax import machine
from maes_jax import shapes

KEEP = 2  # The newest and, should that be damaged, one to fall back to.
_LISTS = 64 * 1024  # Bytes that a step takes beside arrays and names, blocks being of 4 KiB.
# A step holds the optimizer's numbers too; one so many times larger than its model is none of ours.
_TIMES, _BESIDE = 64, 64 * 2**20
_MOST_SEAL = 16 * 2**20  # Bytes.
# Names of what is not done yet; the second and third kind are those of versions before this.
_UNFINISHED = re.compile(r'\d+\.[0-9a-f]{16}\.saving.*|\d+\.orbax-checkpoint-tmp|\d+\.json\.tmp')
# What keeps a whole checkpoint from being read, and passes.
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS, errno.EACCES,
            errno.EPERM, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT)
_PASSING_WORDS = ("can't start new thread", 'RESOURCE_EXHAUSTED', *map(os.strerror, _PASSING))


def save(
    directory: pathlib.Path, step: int, tree: Any, run: str = '',
    check: Callable[[], None] = lambda: None,
):
  """Saves a tree of arrays as `step`, a step already there included; keeps the newest two.

  Of several processes one calls it, and waits for no other: it may be gone.

  Args:
    directory: where `restore` will look.
    step: how far the run is.
    tree: arrays.
    run: what tells this run from others, e.g. `Workdir.fingerprint`.
    check: raises a UserError where the folder is no longer the run's; asked before every change.

  Raises:
    UserError: the folder cannot be written or is full, or `check` says so; the steps before this
      one are as they were.
  """
  check()
  written = directory / f'{step}.{secrets.token_hex(8)}.saving'
  try:
    _make(directory)
    _drop_unfinished(directory)
    _check_room(directory, tree)
    _write(written, tree, run)
    _put_in_place(directory, step, written, check)
  except errors.UserError:
    _drop(written)  # By a name that is nobody else's.
    raise
  except (OSError, ValueError) as error:  # A full disk is a ValueError of tensorstore's.
    _drop(written)
    check()
    raise errors.UserError(f'cannot save a checkpoint in {directory}: {_reason(error)}; '
                           'free some space or use another workdir') from error


def _make(directory):
  directory.mkdir(parents=True, exist_ok=True)
  files.sync_folder(directory.parent)


def _write(path, tree, run):
  """A whole step under a temporary name, on the disk."""
  from maes_jax import stored  # It imports orbax: not before there is something to save.
  with stored.opened(path) as there:
    there.save(tree, {'digests': digests(tree), 'run': run})
  _forget_place(path)
  files.sync_tree(path)


def _put_in_place(directory, step, written, check):
  """Every moment of it leaves a step that `restore` takes, whatever reached the disk by then."""
  final = directory / str(step)
  if final.exists() and not final.is_dir():
    raise errors.UserError(f'{final} is in the way of step {step}; move it to another place and '
                           'run the same command again')
  check()
  _drop_from(directory, step)
  written.rename(final)
  files.sync_folder(directory)
  check()
  _seal(directory, step)
  _drop_old(directory)


def _reason(error) -> str:
  """The start of what an error says; orbax can fill pages with a tree that it did not find."""
  return errors.line(str(error).strip() or type(error).__name__, 200)


def _check_room(directory, tree):
  """Raises OSError where the disk has no room for a tree.

  Before Orbax runs into it with several writes under way, of which the others print tracebacks.
  """
  leaves = jax.tree.leaves(tree)
  needed = sum(leaf.nbytes for leaf in leaves) + 1024 * len(leaves) + _LISTS
  free = shutil.disk_usage(directory).free
  if free < needed:
    raise OSError(f'the disk has {free // 1024} KiB free, a checkpoint takes {needed // 1024}')


def _drop_unfinished(directory):
  """What a save that failed or was killed has written takes up room for nothing."""
  for path in directory.iterdir():
    if _UNFINISHED.fullmatch(path.name):
      _drop(path)
  files.drop_temporary(directory)


def _drop(path):
  """A step, or what was to become one; one that cannot be removed is in nobody's way."""
  for found in (path, *path.parent.glob(f'{path.name}.orbax-checkpoint-tmp*')):
    if found.is_file():
      found.unlink(missing_ok=True)
    shutil.rmtree(found, ignore_errors=True)


def _drop_from(directory, step):
  """The step to save and those beyond it go: they are damaged, the run was taken up before them."""
  _seal_of(directory, step).unlink(missing_ok=True)
  for later in steps(directory):
    if later >= step:
      _seal_of(directory, later).unlink(missing_ok=True)
      shutil.rmtree(directory / str(later))


def _drop_old(directory):
  for old in steps(directory)[KEEP:]:
    _seal_of(directory, old).unlink(missing_ok=True)
    _drop(directory / str(old))


def _forget_place(path):
  """Orbax notes the absolute path that it saved to; a checkpoint that is passed on need not."""
  for file in path.rglob('commit_success.txt'):
    file.write_text('saved\n')


def _seal(directory, step):
  """Notes the digest of every file of a step that is whole."""
  found = {str(path.relative_to(directory)): files.digest(path)
           for path in files.regular_files(directory / str(step))}
  files.write_atomically(_seal_of(directory, step), json.dumps(found, indent=1))


def _seal_of(directory, step):
  return directory / f'{step}.json'


def steps(directory: pathlib.Path) -> list[int]:
  """The steps saved there, newest first; what `save` would not name so, or no folder, is none.

  Raises:
    UserError: the folder cannot be read.
  """
  try:
    found = list(directory.iterdir()) if directory.is_dir() else []
    return sorted((int(path.name) for path in found if _is_step(path)), reverse=True)
  except OSError as error:
    raise errors.UserError(f'{directory} cannot be read: {error.strerror}; mend that and run the '
                           'same command again') from error


def _is_step(path):
  return (re.fullmatch('0|[1-9][0-9]*', path.name) is not None and path.is_dir()
          and not path.is_symlink())


def saved_digests(directory: pathlib.Path) -> dict[int, dict[str, str]]:
  """By step, the `digests` of the tree that was saved; of a step that is damaged, none.

  Orbax would read the whole step for them, and leave errors of one that is damaged behind.
  """
  found = {}
  for step in steps(directory):
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
      values = files.read_json(directory / str(step) / '_CHECKPOINT_METADATA', _MOST_SEAL)
      found[step] = dict(values['custom_metadata']['digests'])
  return found


def restore(
    directory: pathlib.Path, like: Any, run: str = '', whole: Any = None,
) -> tuple[int, Any]:
  """Restores the newest intact step.

  Args:
    directory: where `save` wrote.
    like: arrays or shapes for the part of the tree that is wanted; the rest is not read. Types
      may be wider or narrower than the saved ones, which are what comes back.
    run: what `save` was given; a step of another run counts as damaged.
    whole: shapes of the whole tree, or most of it; `like` where None.

  Returns:
    The step and the restored tree in the memory of this process, in the structure of `like`.

  Raises:
    UserError: no checkpoint is there, none is intact or has these shapes, whole ones cannot be
      read at present, or there is no device.
    KeyboardInterrupt, MemoryError: as they come; no step counts as damaged for them.
  """
  devices.first()  # Orbax needs a device, and one that is missing is no damage.
  most = _TIMES * shapes.size(like if whole is None else whole) + _BESIDE
  _check_memory(directory, shapes.size(like))
  before = steps(directory)
  try:
    return _newest(directory, before, like, run, most)
  except errors.UserError:
    now = steps(directory)
    if now == before:
      raise
    return _newest(directory, now, like, run, most)  # A live run has dropped some and saved others.


def _check_memory(directory, needed):
  there_is = machine.memory()
  if there_is is not None and needed > there_is:
    raise errors.UserError(
        f'a checkpoint of the sizes that the config of {directory.parent} names takes '
        f'{machine.in_words(needed)}, there are {machine.in_words(there_is)}; use a larger machine '
        'or restore the config from a copy')


def _newest(directory, found, like, run, most):
  failures = []
  for step in found:
    try:
      return step, _load(directory, step, like, run, most)
    except Exception as error:  # pylint: disable=broad-except; orbax raises all kinds
      _raise_what_is_no_damage(directory / str(step), error)
      failures.append(f'step {step}: {_reason(error)}')
      logging.getLogger(__name__).warning('checkpoint %s %s', directory, failures[-1])
  if failures:
    raise errors.UserError(f'no intact checkpoint in {directory} ({"; ".join(failures)}); '
                           'restore the folder from a copy or train again')
  raise errors.UserError(f'no checkpoint in {directory}; give the workdir of a training run')


def _raise_what_is_no_damage(path, error):
  """A whole step must not give way to an older one, and be lost, for want of memory or files."""
  for cause in _causes(error):
    if isinstance(cause, KeyboardInterrupt | SystemExit | MemoryError):
      raise cause
    if isinstance(cause, asyncio.CancelledError | concurrent.futures.CancelledError):
      raise KeyboardInterrupt from error
    if getattr(cause, 'errno', None) in _PASSING or _says_passing(cause):
      raise errors.UserError(f'checkpoint {path} cannot be read: {_reason(cause)}; it is left as '
                             'it is: mend that and run the same command again') from error


def _says_passing(error):
  return any(words in str(error) for words in _PASSING_WORDS)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
  """An error and those that it came from."""
  while error is not None:
    yield error
    for part in getattr(error, 'exceptions', ()):  # Of a group.
      yield from _causes(part)
    error = error.__cause__ or error.__context__


def _load(directory, step, like, run, most):
  from maes_jax import stored  # See `_write`.
  _check_files(directory, step, most)
  with stored.opened(directory / str(step)) as there:
    shapes_there, said = there.look()
    if said.get('run', run) != run:  # Checkpoints of version 0.1 name no run.
      raise ValueError('it was saved by a run of another config')
    _check_shapes(shapes_there, like)
    tree = there.restore(like)
  _verify(tree, said['digests'])
  return tree


def _check_files(directory, step, most):
  """Orbax would notice damage too, in several pages; a kill before the seal left it to orbax."""
  found = {str(path.relative_to(directory)): path
           for path in files.regular_files(directory / str(step))}
  if sum(path.lstat().st_size for path in found.values()) > most:
    raise ValueError('it is far larger than its model')
  for name, digest in _read_seal(_seal_of(directory, step)).items():
    if name not in found:
      raise ValueError(f'{name} is missing')
    if files.digest(found[name]) != digest:
      raise ValueError(f'{name} is not what was saved')


def _read_seal(path) -> Mapping[str, str]:
  if not os.path.lexists(path):
    return {}
  if not stat.S_ISREG(path.lstat().st_mode):
    raise ValueError(f'{path.name} is no regular file')
  try:
    seal = files.read_json(path, _MOST_SEAL)
  except ValueError as error:
    raise ValueError(f'{path.name} is damaged') from error
  if not isinstance(seal, dict):
    raise ValueError(f'{path.name} is damaged')
  return seal


def _check_shapes(saved, like):
  """Before anything is read: what a file says of its size is not to be believed."""
  for path, wanted in jax.tree_util.tree_leaves_with_path(like):
    name, found = jax.tree_util.keystr(path), _at(saved, path)
    if tuple(found.shape) != tuple(wanted.shape):
      raise ValueError(f'{name} was saved in shape {tuple(found.shape)}, {wanted.shape} is wanted')
    if _kind(found.dtype) != _kind(wanted.dtype):
      raise ValueError(f'{name} was saved as {found.dtype}, {wanted.dtype} is wanted')
    chunk = getattr(found.storage, 'chunk_shape', None) or ()
    if math.prod(chunk) > max(math.prod(found.shape), 1):
      raise ValueError(f'{name} is stored in parts that are larger than it is')


def _at(tree, path):
  """What stands at a path of JAX's in a tree of orbax's, of dictionaries and lists alone."""
  for key in path:
    name = getattr(key, 'key', getattr(key, 'name', getattr(key, 'idx', None)))
    try:
      tree = tree[name]
    except (KeyError, IndexError, TypeError) as error:
      raise ValueError(f'{jax.tree_util.keystr(path)} was not saved') from error
  return tree


def _kind(dtype):
  """Precision is as it was saved; what numbers are for must be the same."""
  return next((kind for kind in (jnp.floating, jnp.integer, jnp.bool_)
               if jnp.issubdtype(dtype, kind)), dtype)


def _verify(tree, saved):
  for path, digest in digests(tree).items():
    if saved.get(path) != digest:
      raise ValueError(f'{path} is not what was saved')


def digests(tree) -> dict[str, str]:
  """A digest of the shape, type and bytes of every leaf, by its path."""
  found = {}
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    array = np.asarray(leaf)
    content = f'{array.dtype} {array.shape} '.encode() + array.tobytes()
    found[jax.tree_util.keystr(path)] = hashlib.blake2b(content, digest_size=16).hexdigest()
  return found
