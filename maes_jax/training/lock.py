"""One process at a time: a lock that ends with the process that holds it, however it ends."""

from collections.abc import Iterator
import contextlib
import errno
import os
import pathlib
import socket
from typing import IO

from maes_jax import errors

# What file systems say that can lock files, but no folders.
_NO_FOLDERS = {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOTSUP, errno.EISDIR}


class Lock:
  """A lock that is held."""

  def __init__(self, path: pathlib.Path, file: IO[str]):
    self._path, self._file = path, file

  def stands(self) -> bool:
    """Whether its file is still where it was when the lock was taken.

    It is not once its folder was moved, removed or replaced: what stands there now can be another
    process's.
    """
    try:
      there = self._path.stat()
    except OSError:
      return False
    return os.path.samestat(there, os.fstat(self._file.fileno()))


@contextlib.contextmanager
def exclusive(path: pathlib.Path) -> Iterator[Lock]:
  """Holds the lock on the file `path`, which names the process, and on its folder.

  The folder is locked too, so that removing the file lets nobody in.

  Raises:
    UserError: another process holds it, or this system has no such locks.
    OSError: the file cannot be written.
  """
  flock = _import()
  with _folder(path.parent) as folder, path.open('a+') as file:
    held = Lock(path, file)
    if not (_take(flock, folder, _NO_FOLDERS) and _take(flock, file.fileno()) and held.stands()):
      raise errors.UserError(f'{path.parent} is in use by {_holder(file)}; wait for its end, stop '
                             'it, or use another workdir')
    file.truncate(0)
    file.write(f'process {os.getpid()} on {socket.gethostname()}')
    file.flush()
    try:
      yield held
    finally:
      file.truncate(0)


def _import():
  """The module behind the lock; only who trains needs it."""
  try:
    import fcntl
  except ImportError as error:
    raise errors.UserError(
        'training locks its workdir, which this system cannot do (Python has no fcntl here); train '
        'on Linux, macOS or WSL: trained models can be loaded and tested everywhere') from error
  return fcntl


@contextlib.contextmanager
def _folder(path):
  descriptor = os.open(path, os.O_RDONLY)
  try:
    yield descriptor
  finally:
    os.close(descriptor)


def _take(flock, descriptor, harmless=()) -> bool:
  """Whether nobody else has the lock, which then is ours."""
  try:
    flock.flock(descriptor, flock.LOCK_EX | flock.LOCK_NB)
  except BlockingIOError:
    return False
  except OSError as error:
    if error.errno not in harmless:
      raise
  return True


def _holder(file) -> str:
  file.seek(0)
  return file.read() or 'a process that is just starting, or that lost the file of its lock'
