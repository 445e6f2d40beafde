"""Runs the paper's experiments and writes a record of each; resumable at any point.

  python -m experiments.reproduce --only=table1,table2 --workdir=/tmp/paper --jobs=2
  python -m experiments.reproduce --only=E_J-odd_recall --workdir=/tmp/paper
"""

import concurrent.futures
import functools
import os
import pathlib
import subprocess
import sys

from absl import flags

from . import cli
from .paper import execute
from .paper import runs
from maes_jax import errors

_ONLY = flags.DEFINE_list(
    'only', list(runs.GROUPS), 'Parts of the paper, or names of single runs, with commas.')
_WORKDIR = cli.define_folder('workdir', 'Folder of all the runs.')
_RESULTS = flags.DEFINE_string('results', 'results', 'Folder of the records.')
_SEEDS = flags.DEFINE_integer('seeds', 10, 'Models per run.', lower_bound=1)
_LENGTH = flags.DEFINE_integer('length', 1000, 'Items of a test sequence.', lower_bound=1)
_MEMORY = flags.DEFINE_integer('memory', 1024, 'Memory addresses in the test.', lower_bound=1)
_BATCHES = flags.DEFINE_integer(
    'batches', None, "Test batches of every model; default: the run's budget.", lower_bound=1)
_MAX_ITERATIONS = flags.DEFINE_integer(
    'max_iterations', None, "Most iterations of a run; default: the run's budget.", lower_bound=1)
_SAVE_SECONDS = cli.define_save_seconds()
_JOBS = flags.DEFINE_integer('jobs', 1, 'Runs at a time, each a process of its own.', lower_bound=1)


def main():
  settings = execute.Settings(
      pathlib.Path(_WORKDIR.value), pathlib.Path(_RESULTS.value), _SEEDS.value, _LENGTH.value,
      _MEMORY.value, _BATCHES.value, _MAX_ITERATIONS.value, _SAVE_SECONDS.value)
  todo = [run for run in runs.select(_ONLY.value) if not execute.done(run, settings)]
  if _JOBS.value == 1 or len(todo) <= 1:
    for run in todo:
      print(f'{run.name} ...', file=sys.stderr, flush=True)
      execute.execute(run, settings)
    return
  # Encoders first: the other runs take them over.
  _in_processes([run.name for run in todo if not run.encoder])
  _in_processes([run.name for run in todo if run.encoder])


def _in_processes(names):
  running, shares = set(), iter(_shares(_JOBS.value))
  with concurrent.futures.ThreadPoolExecutor(
      _JOBS.value, initializer=lambda: _take(next(shares))) as pool:
    try:
      done = list(pool.map(functools.partial(_in_process, running), names))
    except KeyboardInterrupt:
      for process in running:
        process.terminate()  # A run that is asked to stop saves first.
      raise
  failed = [name for name, ok in zip(names, done) if not ok]
  if failed:
    raise errors.UserError(f'not finished: {", ".join(failed)} (the reason stands above); '
                           'run the same command again to go on')


def _shares(jobs):
  """The cores of this process, dealt out; several jobs share one where there are too few."""
  cores = sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else []
  return [set(cores[job::jobs]) or set(cores[job % len(cores):][:1]) if cores else set()
          for job in range(jobs)]


def _take(cores):
  """Keeps this thread, and the processes that it starts, on these cores: two programs that each
  spread over all cores wait for each other most of the time."""
  if cores:
    os.sched_setaffinity(0, cores)


def _in_process(running, name) -> bool:
  names = ('workdir', 'results', 'seeds', 'length', 'memory', 'batches', 'max_iterations',
           'save_seconds')
  passed_on = [f'--{flag}={flags.FLAGS[flag].value}'
               for flag in names if flags.FLAGS[flag].value is not None]
  command = [sys.executable, '-m', f'{__package__}.reproduce', f'--only={name}', *passed_on]
  with subprocess.Popen(command) as process:
    running.add(process)
    return process.wait() == 0


def program():
  """The program `maes-reproduce`."""
  cli.run(main)


if __name__ == '__main__':
  program()
