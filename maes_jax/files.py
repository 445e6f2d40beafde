"""Files that are whole or not there, on the disk and not only in its cache."""

from collections.abc import Iterator
import contextlib
import errno
import hashlib
import io
import json
import os
import pathlib
import re
import secrets
import stat
from typing import Any

from maes_jax import errors

# Of text that is read at once, in bytes: none that we write comes near.
MOST_TEXT = 64 * 2**20
_BINARY, _AS_IS = getattr(os, 'O_BINARY', 0), getattr(os, 'O_NOFOLLOW', 0)
_NO_WAIT = getattr(os, 'O_NONBLOCK', 0)  # For a writer, where a FIFO is opened.
_SCHEME = re.compile('[A-Za-z][A-Za-z0-9+.-]+:/')  # `pathlib` makes one slash of two.
_TEMPORARY = re.compile(r'\..*\.[0-9a-f]{16}\.tmp')
# What file systems say that cannot put a folder on the disk by itself.
_CANNOT_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM, errno.EISDIR}


def local(path: str | os.PathLike) -> pathlib.Path:
  """A path of this machine as a user gives it; `~` stands for the home folder.

  >>> local('runs/serial').name
  'serial'

  Raises:
    UserError: it is no path, or lies somewhere else, e.g. in a bucket.
  """
  errors.of_type('the path is', path, str | os.PathLike, 'a folder or a file, as text')
  if _SCHEME.match(os.fspath(path)):
    raise errors.UserError(
        f'{os.fspath(path)!r} is no path of this machine: mount the bucket, e.g. with gcsfuse or '
        'mountpoint-s3, and give the folder that it is mounted on')
  return pathlib.Path(os.path.expanduser(path))


def write_atomically(path: pathlib.Path, content: str | bytes):
  """Writes a whole file or nothing, through links; to a device or a pipe straight.

  A file that is there keeps its permissions, a new one gets those that the umask gives.
  """
  content = content.encode() if isinstance(content, str) else content
  if _goes_straight(path):
    with open(os.open(path, os.O_WRONLY | os.O_APPEND | _BINARY), 'wb') as file:
      file.write(content)
  else:
    _replace(pathlib.Path(os.path.realpath(path)), content)


def check_writable(path: pathlib.Path):
  """Says before any work what would end its result: a folder in its place, or none to write in.

  Raises:
    OSError: of the kind that writing the file would end with.
  """
  if _goes_straight(path):
    return
  if path.is_dir():
    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
  check_folder(pathlib.Path(os.path.realpath(path)).parent)


def check_folder(folder: pathlib.Path):
  """The same of a folder that is there or can be made.

  Raises:
    OSError: as `check_writable`.
  """
  there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
  reason = (errno.ENOTDIR if not there.is_dir() else
            0 if os.access(there, os.W_OK | os.X_OK) else errno.EACCES)
  if reason:
    raise OSError(reason, os.strerror(reason))


def _goes_straight(path):
  """Whether the path stands for something that no new file must take the place of.

  What `/dev/stdout` stands for can be a file, and somebody else's.
  """
  if os.path.abspath(path).startswith(('/dev/std', '/dev/fd/', '/proc/')):
    return True
  try:
    mode = os.stat(path).st_mode
  except FileNotFoundError:
    return False
  return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _replace(path, content):
  temporary = path.with_name(f'.{path.name[:100]}.{secrets.token_hex(8)}.tmp')
  try:
    with open(_create(temporary), 'wb') as file:
      file.write(content)
      file.flush()
      os.fsync(file.fileno())
    if path.exists():
      temporary.chmod(stat.S_IMODE(path.stat().st_mode))
    temporary.replace(path)
  except BaseException:
    temporary.unlink(missing_ok=True)
    raise
  sync_folder(path.parent)


def _create(path) -> int:
  """A descriptor of a file that was not there, not even as a link."""
  return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _AS_IS | _BINARY, 0o666)


def drop_temporary(folder: pathlib.Path):
  """What killed processes have left of files; for a folder that nobody else writes in."""
  for path in folder.glob('.*.tmp'):
    if _TEMPORARY.fullmatch(path.name) and not path.is_dir():
      path.unlink(missing_ok=True)


def sync_folder(folder: pathlib.Path):
  """Puts on the disk which files a folder holds, where its file system can."""
  try:
    descriptor = os.open(folder, os.O_RDONLY)
  except OSError as error:
    if error.errno not in _CANNOT_SYNC:
      raise
    return
  try:
    os.fsync(descriptor)
  except OSError as error:
    if error.errno not in _CANNOT_SYNC:
      raise
  finally:
    os.close(descriptor)


def sync_tree(folder: pathlib.Path):
  """Puts a folder, all below it and what they hold on the disk."""
  for path in regular_files(folder):
    with path.open('rb+') as file:
      os.fsync(file.fileno())
  for name, _, _ in os.walk(folder, topdown=False):
    sync_folder(pathlib.Path(name))


def regular_files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Every file below a folder, in order; no link is followed.

  Raises:
    ValueError: something there is neither a file nor a folder, e.g. a link or a pipe.
  """
  found = []
  for name, folders, names in os.walk(folder, onerror=_fail):
    found += [pathlib.Path(name) / file for file in names]
    for path in (pathlib.Path(name) / other for other in (*folders, *names)):
      mode = path.lstat().st_mode
      if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f'{path.relative_to(folder.parent)} is no regular file')
  return sorted(found)


def _fail(error):
  raise error


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator[io.BufferedReader]:
  """A regular file to read; what would wait for somebody or never end is none.

  Raises:
    OSError: it is none, or cannot be read.
  """
  with open(os.open(path, os.O_RDONLY | _NO_WAIT | _BINARY), 'rb') as file:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
      raise OSError(errno.EINVAL, 'no regular file', str(path))
    yield file


def read_json(path: pathlib.Path, most: int = MOST_TEXT) -> Any:
  """What a file of at most so many bytes says.

  Raises:
    OSError: there is none, or it is no regular file.
    ValueError: it is larger, or no JSON.
  """
  with opened(path) as file:
    content = file.read(most + 1)
  if len(content) > most:
    raise ValueError(f'it is larger than {most:,} bytes')
  return parse_json(content)


def parse_json(content: str | bytes) -> Any:
  """What a JSON text says.

  Raises:
    ValueError: it is none.
  """
  try:
    return json.loads(content)
  except RecursionError as error:
    raise ValueError('it is nested too deeply') from error


def digest(path: pathlib.Path) -> str:
  """What tells this content from any other."""
  with opened(path) as file:
    return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
