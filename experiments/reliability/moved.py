"""Folders of runs that are moved, replaced or removed, in use or between two uses."""

from collections.abc import Callable
import functools
import pathlib
import shutil

from . import attempts
from . import crash
from . import remains
from . import scenarios

HEAD = '''## Moved and replaced folders

The folder of a run was taken away while a process trained in it. The run ends in a line, and
nothing is written into what then stands at its path; what it saved goes on where it is now.
'''
ITERATIONS = 100_000  # None gets as far.


def run(folder: pathlib.Path) -> list[dict]:
  """A row for each thing that may happen, in an empty folder."""
  other = folder / 'other'
  crash.finish(scenarios.encoder(1), other, folder)
  found = []
  for what, (happens, ending) in HAPPENINGS.items():
    row = attempts.row(what)
    attempts.count(row, what, functools.partial(
        _tried, happens, ending, folder / happens.__name__.strip('_'), other / 'run'))
    found.append(row)
  return [*found, _between(folder / 'between')]


def _tried(happens, ending, here, other) -> str:
  scenario = scenarios.train('run', '--task=serial_recall', iterations=ITERATIONS)
  with crash.started(scenario, here, here) as process:
    crash.poll(process, lambda: remains.step(here))
    happens(here / 'run', other)
    before = _seen(here)
    _, printed = process.communicate(timeout=attempts.HANG)
  attempts.promise(process.returncode == 1 and 'Traceback' not in printed, printed)
  attempts.promise(ending in printed.strip().splitlines()[-1], printed)
  attempts.promise(_seen(here) == before, 'nothing is written')
  return attempts.REFUSED


def _seen(here):
  """What stands at the run's path, if it is not what the run itself has open."""
  path = here / 'run'
  moved = path.is_symlink() or (here / 'moved').exists()
  return attempts.contents(path) if moved and path.exists() else path.exists()


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


_ENDING = 'is no longer the folder that this run began in'
HAPPENINGS: dict[str, tuple[Callable, str]] = {
    'The folder is moved.': (_moved, _ENDING),
    "Another run's stands in its place.": (_replaced, _ENDING),
    'It is removed.': (_removed, _ENDING),
    'A link stands in its place.': (_linked, _ENDING),
    'Its lock is removed.': (_unlocked, _ENDING),
}


def _between(folder) -> dict:
  """A run on an encoder, and its encoder, moved before the run is taken up again."""
  row = attempts.row('A run and its encoder are moved between two uses.')

  def tried(*flags):
    shutil.rmtree(folder, ignore_errors=True)
    scenario = scenarios.transfer('run', '--task=odd_recall', *flags, iterations=ITERATIONS)
    crash.finish(scenarios.encoder(), folder / 'encoder', folder)
    with crash.started(scenario, folder / 'old', folder / 'encoder' / 'run') as process:
      crash.poll(process, lambda: remains.step(folder / 'old'))
      process.terminate()
      process.communicate()
    (folder / 'old').rename(folder / 'new')
    (folder / 'encoder').rename(folder / 'elsewhere')
    step = remains.step(folder / 'new')
    with crash.started(scenario, folder / 'new', folder / 'elsewhere' / 'run') as process:
      crash.poll(process, lambda: remains.step(folder / 'new') > step)
      process.terminate()
      _, printed = process.communicate()
    attempts.promise('all saved' in printed and remains.step(folder / 'new') > step, printed)
    return attempts.DONE

  for flags in ((), ('--unfreeze',)):
    attempts.count(row, ' '.join(flags) or 'frozen', functools.partial(tried, *flags))
  return row
