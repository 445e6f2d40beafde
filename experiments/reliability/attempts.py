"""What comes of an attempt in bad surroundings: it is done, or a line says why not."""

from collections.abc import Callable
import contextlib
import pathlib
import shutil
import signal

from maes_jax import errors

DONE, REFUSED = 'done', 'refused'
HANG = 120  # Seconds after which an attempt counts as hanging.
LONGEST = int(1.05 * errors.MOST)  # Characters of a line, spaces round what was left out included.


def row(what: str) -> dict:
  """Counts of one kind, to be filled by `count`."""
  return {'what': what, DONE: 0, REFUSED: 0, 'broken': []}


def count(kept: dict, name: str, act: Callable[[], str]):
  """Adds to a row what an attempt came to; a promise that it broke goes by its name."""
  try:
    with _limited():
      kept[act()] += 1
  except Exception as error:  # pylint: disable=broad-except; whatever it is, it is told.
    kept['broken'].append(f'{name}: {errors.line(repr(error), 200)}')


def in_a_line(act: Callable) -> str:
  """Whether something is done; if not, the user gets one short line of plain signs.

  Raises:
    AssertionError: it is longer, or has signs that a terminal obeys.
  """
  try:
    act()
  except errors.UserError as error:
    promise(str(error).isprintable() and len(str(error)) <= LONGEST, 'one short plain line')
    return REFUSED
  return DONE


def promise(kept: bool, words: str):
  if not kept:
    raise AssertionError(f'broken: {words}')


def contents(folder: pathlib.Path) -> dict[str, bytes]:
  """Of every file, by its path in the folder."""
  return {str(path.relative_to(folder)): path.read_bytes()
          for path in folder.rglob('*') if path.is_file()}


def copied(run: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
  """A fresh copy of a run at `scratch`."""
  shutil.rmtree(scratch, ignore_errors=True)
  return pathlib.Path(shutil.copytree(run, scratch))


@contextlib.contextmanager
def _limited():
  """Ends what hangs. Only Linux and macOS have such an alarm, and only for the main thread."""
  def ring(*unused):
    raise TimeoutError(f'longer than {HANG} seconds')

  before = signal.signal(signal.SIGALRM, ring)
  signal.alarm(HANG)
  try:
    yield
  finally:
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
