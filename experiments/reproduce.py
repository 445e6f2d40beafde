"""Runs the paper's experiments and writes a record of each; resumable at any point.

  python -m experiments.reproduce --only=table1,table2 --workdir=/tmp/paper --results=/tmp/results
  python -m experiments.reproduce --only=E_J-odd_recall --workdir=/tmp/paper --results=/tmp/results

A run that has its record in --results is not run again; in a checkout `results` has nearly all.
"""

import pathlib
import sys

from absl import flags

from .shared import cli
from .shared import jobs
from .shared import stopping
from .paper import execute
from .paper import runs
from maes_jax.training import workdir

_ONLY = cli.define_names(
    'only', list(runs.GROUPS), 'Parts of the paper, or names of single runs, with commas; proofs: '
    'new seeds, proved right or, on Equality, tested.')
_WORKDIR = cli.define_folder('workdir', 'Folder of all the runs.')
_RESULTS = flags.DEFINE_string('results', 'results', 'Folder of the records.')
_JOBS = flags.DEFINE_integer('jobs', 1, 'Runs at a time, each a process of its own.', lower_bound=1)
_SETTINGS = [
    flags.DEFINE_integer('seeds', 10, 'Models per run.', lower_bound=1),
    flags.DEFINE_integer('length', 1000, 'Items of a test sequence.', lower_bound=1),
    flags.DEFINE_integer('memory', 1024, 'Memory addresses in the test.', lower_bound=1),
    flags.DEFINE_integer(
        'batches', None, "Test batches of every model; default: the run's budget.", lower_bound=1),
    flags.DEFINE_integer(
        'max_iterations', None, "Most iterations of a run; default: the run's budget.",
        lower_bound=1),
    cli.define_save_seconds()]


def main():
  jobs.join()
  settings = execute.Settings(
      pathlib.Path(_WORKDIR.value), pathlib.Path(_RESULTS.value),
      **{flag.name: flag.value for flag in _SETTINGS})
  todo = [run for run in runs.select(_ONLY.value) if not execute.done(run, settings)]
  for run in todo:
    execute.check(run, settings)
  if todo:
    workdir.check_folder(settings.results)
  else:
    stopping.say(f'nothing to run: all records are in {settings.results}; give another --results '
                 'to run it anew')
  if _JOBS.value == 1 or len(todo) <= 1:
    for run in todo:
      stopping.say(f'{run.name} ...')
      execute.execute(run, settings)
    return
  # Encoders first: the other runs take them over.
  _in_processes([run.name for run in todo if not run.encoder])
  _in_processes([run.name for run in todo if run.encoder])


def _in_processes(names):
  jobs.run_all({name: _command(name) for name in names}, _JOBS.value)


def _command(name):
  passed_on = [f'--{flag.name}={flag.value}'
               for flag in (_WORKDIR, _RESULTS, *_SETTINGS) if flag.value is not None]
  return [sys.executable, '-m', f'{__package__}.reproduce', f'--only={name}', *passed_on]


program = cli.program(main)  # `maes-reproduce` where it is installed.

if __name__ == '__main__':
  program()
