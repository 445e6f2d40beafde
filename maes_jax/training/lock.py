"""One process at a time: a lock that ends with the process that holds it, however it ends."""

import contextlib
import fcntl
import os
import pathlib
import socket

from maes_jax import errors


@contextlib.contextmanager
def exclusive(path: pathlib.Path):
  """Holds the lock on the file `path`, which names the process.

  Raises:
    UserError: another process holds it.
    OSError: the file cannot be written.
  """
  with path.open('a+') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
      raise errors.UserError(f'{path.parent} is in use by {_holder(file)}; wait for its end, stop '
                             'it, or use another workdir') from error
    file.truncate(0)
    file.write(f'process {os.getpid()} on {socket.gethostname()}')
    file.flush()
    try:
      yield
    finally:
      file.truncate(0)


def _holder(file) -> str:
  file.seek(0)
  return file.read() or 'a process that is just starting'
