"""Folders of runs that are moved, replaced or removed, in use or between two uses."""

from collections.abc import Callable
import functools
import pathlib
import shutil

from tests.reliability import attempts
from tests.reliability import remains
from tests.reliability import scenarios

HEAD = '''## Moved and replaced folders

The folder of a run was taken away while a process trained in it. The run ends in a line, and
nothing is written into what then stands at its path; what it saved goes on where it is now.
'''
ITERATIONS = 100_000  # None gets as far.
_ENDING = 'is no longer the folder that this run began in'


def table(made: scenarios.Made, scratch: pathlib.Path, most: int | None = None) -> list[dict]:
  """A row for each thing that may happen; `scratch` is a folder for new runs."""
  kinds = {what: [(what, functools.partial(
      _tried, happens, made.other, scratch / happens.__name__.strip('_')))]
      for what, happens in HAPPENINGS.items()}
  between = [(' '.join(flags) or 'frozen', functools.partial(
      _between, made.run, scratch / f'between{len(flags)}', flags)) for flags in ((), _UNFREEZE)]
  return attempts.table(
      {**kinds, 'A run and its encoder are moved between two uses.': between}, most)


def _tried(happens, other, here) -> str:
  scenario = scenarios.train('run', '--task=serial_recall', iterations=ITERATIONS)
  with scenarios.started(scenario, here) as process:
    scenarios.poll(process, lambda: remains.step(here))
    happens(here / 'run', other)
    before = _seen(here)
    _, printed = process.communicate(timeout=attempts.HANG)
  attempts.promise(process.returncode == 1 and 'Traceback' not in printed, printed)
  attempts.promise(_ENDING in printed.strip().splitlines()[-1], printed)
  attempts.promise(_seen(here) == before, 'nothing is written')
  return attempts.REFUSED


def _seen(here):
  """What stands at the run's path, if it is not what the run itself has open."""
  path = here / 'run'
  if not path.exists() or not (path.is_symlink() or (here / 'moved').exists()):
    return path.exists()
  return {str(file.relative_to(path)): file.read_bytes()
          for file in path.rglob('*') if file.is_file()}


def _moved(path, other):
  path.rename(path.with_name('moved'))


def _replaced(path, other):
  _moved(path, other)
  shutil.copytree(other, path)


def _removed(path, other):
  path.rename(path.with_name('gone'))  # At once, then file by file.
  shutil.rmtree(path.with_name('gone'))


def _linked(path, other):
  _moved(path, other)
  path.symlink_to(shutil.copytree(other, path.with_name('copy')))


def _unlocked(path, other):
  (path / 'lock').unlink()


HAPPENINGS: dict[str, Callable] = {
    'The folder is moved.': _moved,
    "Another run's stands in its place.": _replaced,
    'It is removed.': _removed,
    'A link stands in its place.': _linked,
    'Its lock is removed.': _unlocked,
}
_UNFREEZE = ('--unfreeze',)


def _between(run, folder, flags) -> str:
  """A run on an encoder, and its encoder, moved before the run is taken up again."""
  old, new, encoder = folder / 'old', folder / 'new', folder / 'encoder'
  scenario = scenarios.transfer('run', '--task=odd_recall', *flags, iterations=ITERATIONS)
  shutil.copytree(run, encoder)
  _train_on(scenario, old, encoder)
  step = remains.step(old)
  old.rename(new)
  encoder = encoder.rename(folder / 'elsewhere')
  printed = _train_on(scenario, new, encoder)
  attempts.promise('all saved' in printed and remains.step(new) > step, printed)
  return attempts.DONE


def _train_on(scenario, here, encoder) -> str:
  """Up to the next save; what is printed then."""
  step = remains.step(here)
  with scenarios.started(scenario, here, encoder) as process:
    scenarios.poll(process, lambda: remains.step(here) > step)
    process.terminate()
    _, printed = process.communicate()
  return printed
