"""Results written to what is no file yet, or no file at all: pipes, devices, links."""

from collections.abc import Callable
import functools
import os
import pathlib
import shutil
import threading

import numpy as np

from maes_jax import figures
from maes_jax.training import workdir
from tests.reliability import attempts
from tests.reliability import scenarios

HEAD = '''## Outputs that are no plain files

Pages, records, pictures and films were written to pipes, devices, links and folders. What stands
there stays what it is: a pipe gets the bytes, a link is followed, and what cannot be written is
told in a line and left whole.
'''
_EYE = np.eye(1)
# Name of a file -> what writes it.
WRITERS: dict[str, Callable[[pathlib.Path], None]] = {
    'page.html': lambda path: workdir.write_text(path, '<html>'),
    'result.json': lambda path: workdir.write_result(path, {'bits': 1}),
    'picture.png': lambda path: figures.attention(_EYE, _EYE, _EYE, 'title', path),
    'picture.svg': lambda path: figures.attention(_EYE, _EYE, _EYE, 'title', path),
    'film.gif': lambda path: figures.animation(_EYE, _EYE, np.ones((2, 1, 1)), 'title', path),
}


def table(
    made: scenarios.Made, scratch: pathlib.Path, most: int | None = None) -> list[dict]:
  """A row for each kind of place; `scratch` is a folder for the files."""
  del made
  return attempts.table({what: [(name, functools.partial(_tried, try_it, name, scratch))
                                for name in WRITERS] for what, try_it in PLACES.items()}, most)


def _tried(try_it, name, scratch) -> str:
  shutil.rmtree(scratch, ignore_errors=True)
  scratch.mkdir(parents=True)
  return try_it(WRITERS[name], scratch / name)


def _pipe(write, path) -> str:
  os.mkfifo(path)
  got: list[bytes] = []
  reader = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
  reader.start()
  outcome = attempts.in_a_line(lambda: write(path))
  reader.join(attempts.HANG)
  attempts.promise(path.is_fifo() and bool(got) and bool(got[0]), 'the pipe stays and gets all')
  return outcome


def _device(device, write, path) -> str:
  """By a link of the file's name: a device has no ending that says the format."""
  path.symlink_to(device)
  outcome = attempts.in_a_line(lambda: write(path))
  attempts.promise(pathlib.Path(device).is_char_device() and path.is_symlink(), 'both stay')
  return outcome


def _link(there, write, path) -> str:
  target = path.parent / 'folder' / 'target'
  target.parent.mkdir()
  if there:
    target.write_text('old')
  path.symlink_to(target)
  outcome = attempts.in_a_line(lambda: write(path))
  attempts.promise(path.is_symlink() and target.read_bytes() != b'old', 'the target is written')
  attempts.promise(len(list(target.parent.iterdir())) == 1, 'nothing else is left')
  return outcome


def _planted(write, path) -> str:
  """A link where earlier versions had their temporary file."""
  victim = path.parent / 'victim'
  victim.write_text('mine')
  path.with_name(path.name + '.tmp').symlink_to(victim)
  outcome = attempts.in_a_line(lambda: write(path))
  attempts.promise(victim.read_text() == 'mine' and path.exists(), 'the victim is left alone')
  return outcome


def _folder(write, path) -> str:
  path.mkdir()
  outcome = attempts.in_a_line(lambda: write(path))
  attempts.promise(list(path.parent.rglob('*')) == [path], 'nothing else is left')
  return outcome


def _bucket(write, path) -> str:
  return attempts.in_a_line(lambda: write(pathlib.Path(f'gs://bucket/{path.name}')))


PLACES: dict[str, Callable[[Callable, pathlib.Path], str]] = {
    'A pipe.': _pipe,
    'A device, `/dev/null`.': functools.partial(_device, '/dev/null'),
    'A device that is full, `/dev/full`.': functools.partial(_device, '/dev/full'),
    'A link to a file.': functools.partial(_link, True),
    'A link to what is not there yet.': functools.partial(_link, False),
    'A file beside which a link lies in wait.': _planted,
    'A folder.': _folder,
    'A bucket.': _bucket,
}
