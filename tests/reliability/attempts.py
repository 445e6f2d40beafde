"""What comes of an attempt in bad surroundings: it is done, or a line says why not."""

from collections.abc import Callable, Iterable, Mapping
import contextlib
import itertools
import pathlib
import shutil
import signal

from maes_jax import errors

DONE, REFUSED = 'done', 'refused'
HANG = 120  # Seconds after which an attempt counts as hanging.
LONGEST = int(1.05 * errors.MOST)  # Characters of a line, spaces round what was left out included.

# Of one kind, by name; a name may come twice.
Attempts = Iterable[tuple[str, Callable[[], str]]]


def table(kinds: Mapping[str, Attempts], most: int | None = None) -> list[dict]:
  """A row for each kind: what its first `most` attempts came to, or all of them."""
  return [row(what, itertools.islice(attempts, most)) for what, attempts in kinds.items()]


def row(what: str, attempts: Attempts) -> dict:
  """Counts what attempts came to; a promise that one broke goes by its name."""
  kept: dict = {'what': what, DONE: 0, REFUSED: 0, 'broken': []}
  for name, act in attempts:
    try:
      with _limited():
        kept[act()] += 1
    except Exception as error:  # pylint: disable=broad-except; whatever it is, it is told.
      kept['broken'].append(f'{name}: {errors.line(repr(error), 200)}')
  return kept


def in_a_line(act: Callable, longest: int = LONGEST) -> str:
  """Whether something is done; if not, the user gets one short line of plain signs.

  Raises:
    AssertionError: it is longer, or has signs that a terminal obeys.
  """
  try:
    act()
  except errors.UserError as error:
    promise(str(error).isprintable() and len(str(error)) <= longest, 'one short plain line')
    return REFUSED
  return DONE


def promise(kept: bool, words: str):
  if not kept:
    raise AssertionError(f'broken: {words}')


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
