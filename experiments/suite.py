"""Trains and tests models on tasks, any part of the matrix of both; resumable at any point.

  python -m experiments.suite --models=maes,ntm --tasks=dual --workdir=/tmp/suite --results=/tmp/r
  python -m experiments.suite --tasks=all --workdir=/tmp/suite --results=/tmp/r --minutes=1
  python -m experiments.suite --render --results=/tmp/r --output=/tmp/SUITE.md

A cell that has its record is not run again, in a checkout most of them; one that was cut off goes
on. --render writes SUITE.md and a page from the records there are.
"""

import pathlib
import sys
import time

from absl import flags

from .shared import cli
from .shared import jobs
from .shared import output
from .shared import records
from .shared import stopping
from .matrix import cells
from .matrix import execute
from .matrix import protocol
from maes_jax import errors
from maes_jax.training import workdir

_MODELS = cli.define_names(
    'models', list(cells.MODELS), 'Models of the matrix, or families, with commas.')
_TASKS = cli.define_names(
    'tasks', [cells.ALL], f'Tasks, or parts of the matrix: {", ".join(protocol.GROUPS)}.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of all the runs.')
flags.register_validator('workdir', lambda path: path != '', message='name a folder')
_RESULTS = flags.DEFINE_string('results', 'results', 'Folder of the records, below it suite/.')
_JOBS = flags.DEFINE_integer('jobs', 1, 'Cells at a time, each a process of its own.',
                             lower_bound=1)
_RENDER = flags.DEFINE_boolean('render', False, 'Write --output and RESULTS/suite.html, no more.')
_OUTPUT = flags.DEFINE_string('output', 'SUITE.md', 'File to write with --render.')
_SETTINGS = [
    flags.DEFINE_integer('seeds', 3, 'Models per cell, trained side by side.', lower_bound=1),
    flags.DEFINE_float('minutes', 3., 'Most wall time of training per cell, compiling left out.',
                       lower_bound=0.),
    flags.DEFINE_integer('max_iterations', 100_000, 'Most iterations per cell.', lower_bound=1),
    flags.DEFINE_integer('sequences', 1, 'At least so many in the first test, of a seed that is '
                         'right in those that come first.', lower_bound=1),
    cli.define_save_seconds()]


def main():
  is_child = jobs.join()
  _check_used()
  if _RENDER.value:
    render()
    return
  if not _WORKDIR.value:
    raise errors.UserError('no folder for the runs; give --workdir, e.g. --workdir=runs/suite')
  settings = execute.Settings(
      pathlib.Path(_WORKDIR.value), pathlib.Path(_RESULTS.value),
      **{flag.name: flag.value for flag in _SETTINGS})
  asked = cells.select(_MODELS.value, _TASKS.value)
  todo = [cell for cell in asked if not execute.done(cell, settings)]
  if todo:
    workdir.check_folder(settings.results)
  progress = _Progress(len(asked), len(todo), settings.minutes / min(_JOBS.value, len(todo) or 1))
  if not is_child:
    progress(0)
  if _JOBS.value == 1 or len(todo) <= 1:
    execute.execute_all(todo, settings, (lambda ended: None) if is_child else progress)
  else:
    jobs.run_all({cell.name: _command(cell) for cell in todo}, _JOBS.value, progress)


def _check_used():
  """Raises what would be passed over: all records are written about, or none."""
  of_cells = (_MODELS, _TASKS, _WORKDIR, _JOBS, *_SETTINGS)
  for flag in of_cells if _RENDER.value else (_OUTPUT,):
    if flags.FLAGS[flag.name].present:
      raise errors.UserError(f'--{flag.name} is of no use with{"" if _RENDER.value else "out"} '
                             '--render, which writes about all records there are; leave it out')


def render():
  """Writes the document, its figure and the page."""
  from .matrix import document
  from .matrix import page
  from .matrix import scores
  results = pathlib.Path(_RESULTS.value)
  if not (found := scores.found(results)):
    raise errors.UserError(f'no records of the matrix in {results / execute.FOLDER}; give the '
                           'folder above theirs as --results')
  with records.legible(results):
    text, html, shares = document.render(found), page.render(found), scores.shares(found)
  workdir.write_text(pathlib.Path(_OUTPUT.value), text)
  workdir.write_text(results / 'suite.html', html)
  if shares:
    from maes_jax import figures  # Which needs an extra.
    paper = protocol.SIMPLE
    figures.lengths(shares, paper.reached, paper.max_length, results / scores.FIGURE)
  output.show(f'{_OUTPUT.value} and {results / "suite.html"}: {len(found)} cells')


class _Progress:
  """A line on how many cells are done, and how long the others may take."""

  def __init__(self, asked: int, todo: int, minutes: float):
    self._asked, self._todo, self._minutes = asked, todo, minutes
    self._start = time.monotonic()

  def __call__(self, ended: int):
    """`ended` cells of this launch have."""
    left = self._todo - ended
    each = (time.monotonic() - self._start) / 60 / ended if ended else self._minutes
    more = f', about {_in_words(left * each)} left' if left else ''
    stopping.say(f'{self._asked - left} of {self._asked} cells ended{more}')


def _in_words(minutes: float) -> str:
  """A time, rounded up.

  >>> _in_words(0.2), _in_words(61.)
  ('1 min', '1 h 1 min')
  """
  hours, rest = divmod(max(1, -int(-minutes // 1)), 60)
  return f'{hours} h {rest} min' if hours else f'{rest} min'


def _command(cell):
  passed_on = [f'--{flag.name}={flag.value}' for flag in (_WORKDIR, _RESULTS, *_SETTINGS)]
  plugins = ','.join(flags.FLAGS['plugins'].value)
  return [sys.executable, '-m', f'{__package__}.suite', f'--models={cell.model}',
          f'--tasks={cell.task}', f'--plugins={plugins}', *passed_on]


program = cli.program(main)  # `maes-suite` where it is installed.

if __name__ == '__main__':
  program()
