"""One cell of the matrix from start to record: train while its budget lasts, test every seed."""

from collections.abc import Callable, Sequence
import dataclasses
import math
import pathlib
import time
from typing import Any

import jax
import numpy as np

from . import cells
from ..shared import cli
from ..shared import jobs
from ..shared import outcomes
from ..shared import records
from ..shared import stopping
from maes_jax import errors
from maes_jax import files
from maes_jax import limits
from maes_jax import models
from maes_jax import tasks
from maes_jax.certificates import verdict
from maes_jax.evaluation import Counts
from maes_jax.training import interrupts
from maes_jax.training import loop
from maes_jax.training import metrics
from maes_jax.training import optimizer
from maes_jax.training import run as training
from maes_jax.training import workdir as workdirs
from maes_jax.training.trainer import NEVER

FOLDER = 'suite'  # Of the records, below that of all records.
CONVERGED, FAILED, MINUTES, ITERATIONS = 'converged', 'not finite', 'minutes', 'max_iterations'
_LIMITS = {MINUTES: 'minutes', ITERATIONS: 'max_iterations'}  # By what ended a cell, of a budget.
_KEYS = records.KEYS | {'model', 'task', 'encoder', 'unit', 'protocol', 'trained_to', 'devices',
                        'budget', 'impossible', 'ended', 'train_seconds'}


@dataclasses.dataclass(frozen=True)
class Settings:
  """How much of everything.

  Attributes:
    workdir: of all runs.
    results: of all records.
    seeds: models of each cell.
    minutes: most wall time that a cell may train, compiling left out, however often it was cut off.
    max_iterations: most iterations of each seed.
    sequences: at least so many of the first test, if a seed is right in those that `cells.Effort`
      says.
    save_seconds: at least this long between two checkpoints.
  """
  workdir: pathlib.Path
  results: pathlib.Path
  seeds: int = 3
  minutes: float = 3.
  max_iterations: int = 100_000
  sequences: int = 1
  save_seconds: float = loop.SAVE_SECONDS

  def __post_init__(self):
    limits.check(seeds=self.seeds, max_iterations=self.max_iterations, sequences=self.sequences)
    if not 0 < self.minutes < math.inf:
      raise errors.UserError(f'minutes is {self.minutes}; it must be more than 0, and finite')


def read(results: pathlib.Path, cell: cells.Cell) -> dict[str, Any] | None:
  """The record of a cell, or None where there is none yet.

  Raises:
    UserError: the file is not a record, or that of another cell.
  """
  path, mend = records.path(results / FOLDER, cell.name), 'run this cell again'
  record = records.load(path, _KEYS, mend)
  if record and (record['model'], record['task']) != (cell.model, cell.task):
    raise errors.UserError(f'record {path} is of {record["model"]}/{record["task"]}; put it where '
                           f'it belongs and {mend}')
  return record


def done(cell: cells.Cell, settings: Settings) -> bool:
  """Whether the record is there, by what holds today, and nothing more would come of it.

  That is where it has as many seeds and lacks no larger budget and no more sequences, or where the
  cell still is not possible, and for the same reason.
  """
  record = read(settings.results, cell)
  with records.legible(settings.results):
    if record is None or not as_today(record, cell):
      return False
    if record['impossible']:
      return _obstacle(cell, settings) == record['impossible']
    limit = _LIMITS.get(record['ended'])
    return (len(record['seeds']) >= settings.seeds and
            record['budget'].get('sequences', 1) >= settings.sequences and
            (limit is None or record['budget'][limit] >= getattr(settings, limit)))


def _obstacle(cell, settings) -> str:
  try:
    return cell.obstacle(cell.config(settings.seeds, settings.max_iterations))
  except errors.UserError:  # Something else is in the way; `execute` says what.
    return ''


def _check_not_less(cell, settings):
  """What replaces a record by all that holds today has as many seeds, and as large a budget."""
  record = read(settings.results, cell)
  with records.legible(settings.results):
    if record is None or record['impossible'] or not as_today(record, cell):
      return
  records.check_not_less(records.path(settings.results / FOLDER, cell.name), vars(settings),
                         {'seeds': len(record['seeds']), **record['budget']})


def _check_unmeasured(cell, settings, reason):
  """The record stays of a cell that was possible once, e.g. before a user's module was changed."""
  if (record := read(settings.results, cell)) and record['seeds']:
    raise errors.UserError(f'{reason}; the record has {len(record["seeds"])} seeds of when it was '
                           'possible, and stays: mend that, or take the record away')


def as_today(record: records.Record, cell: cells.Cell) -> bool:
  """Whether a cell would be trained and tested today as its record says that it was."""
  now = cell.protocol.about, cell.protocol.max_length
  if (record['protocol'], record['trained_to']) != now:
    return False
  return bool(record['impossible']) or _same_recipe(record, cell)


def _same_recipe(record, cell):
  config = cell.config(len(record['seeds']), record['config']['max_iterations'])
  was = dataclasses.replace(workdirs.config_of(record['config']), encoder=config.encoder)
  return was == config and (config.encoder or '') == record['encoder']


def execute_all(todo: Sequence[cells.Cell], settings: Settings, progress: Callable[[int], None]):
  """Cell after cell in this process; one that fails leaves the others be.

  Args:
    todo: what to execute.
    settings: how.
    progress: is told after each how many have ended.

  Raises:
    UserError: some failed; says which, and why.
  """
  ended = {}
  for count, cell in enumerate(todo, start=1):
    try:
      stopping.say(execute(cell, settings))
      ended[cell.name] = ''
    except interrupts.Interrupted:
      raise
    except Exception as error:  # pylint: disable=broad-except; a bug is of one cell, too
      ended[cell.name] = errors.line(cli.told(error))
    jax.clear_caches()  # Hundreds of programs, none of which is needed again.
    progress(count)
  jobs.check_finished(ended)


def execute(cell: cells.Cell, settings: Settings) -> str:
  """Trains and tests a cell and writes its record; goes on where it was cut off.

  Returns:
    What came out, in a line.
  """
  config = cell.config(settings.seeds, settings.max_iterations)
  if reason := cell.obstacle(config):
    _check_unmeasured(cell, settings, reason)
    _write(cell, settings, config, [], impossible=reason, ended='', train_seconds=0., seconds=0.)
    return f'{cell.name}: not possible, {reason}'
  _check_not_less(cell, settings)
  testers = _testers(cell, config)  # Before minutes of training.
  start = time.monotonic()
  state, rows, before, spent = _train(cell, settings, config)
  ended = _ended(state, config)
  seeds = [{**outcomes.trained(one, [row for row in rows if row['model'] == k]),
            'ended': ended[k],
            **_proved(cell, config, one, _tested(cell, one, testers, settings.sequences))}
           for k, one in enumerate(outcomes.models(state))]
  _write(cell, settings, config, seeds, impossible='', ended=_of_all(ended),
         train_seconds=round(spent, 3), seconds=round(before + time.monotonic() - start, 1))
  converged = ended.count(CONVERGED)
  return (f'{cell.name}: {converged} of {len(seeds)} seeds converged, '
          f'{sum(map(succeeded, seeds))} right throughout, ended by {_of_all(ended)}')


def succeeded(seed: dict[str, Any]) -> bool:
  """Whether there are tests, and every sequence of each is right."""
  tests = seed['tests'].values()
  return bool(tests) and all(0 < test['sequences'] == test['sequences_right'] for test in tests)


class _Clock:
  """Seconds of training, kept beside the run: as many as its last checkpoint took.

  They begin with the end of a launch's first window, as those of `loop.train` do.
  """

  def __init__(self, path: pathlib.Path):
    self._path = path
    self.before = self._read() if path.exists() else 0.
    self._start: float | None = None

  def _read(self):
    try:
      said = float(files.read_json(self._path))
    except (OSError, TypeError, ValueError):
      said = math.nan
    if 0 <= said < math.inf:
      return said
    raise errors.UserError(f'{self._path} is damaged, it says for how many seconds this cell has '
                           'trained; write a number into it, e.g. 0')

  @property
  def seconds(self) -> float:
    return self.before + (time.monotonic() - self._start if self._start else 0.)

  def write(self, state, rows):
    self._start = self._start or time.monotonic()

  def flush(self):
    files.write_atomically(self._path, f'{self.seconds}\n')

  def close(self):
    pass


def _train(cell, settings, config):
  """The population, what it logged, and the seconds that it trained before, and in all."""
  workdir = workdirs.Workdir(settings.workdir / cell.name)
  clock = _Clock(workdir.path / 'seconds')
  state = training.train(
      config, workdir.path, callbacks=[clock], save_seconds=settings.save_seconds,
      seconds=max(0., 60 * settings.minutes - clock.before), show_progress=False)
  return jax.device_get(state), metrics.read(workdir.metrics), clock.before, clock.seconds


def _ended(state, config) -> list[str]:
  """What ended each seed."""
  failed = np.asarray(optimizer.failed(state.optimizer))
  return [CONVERGED if state.converged[k] != NEVER else FAILED if failed[k] else
          ITERATIONS if state.iteration[k] >= config.max_iterations else MINUTES
          for k in range(config.seeds)]


def _of_all(ended):
  """What ended a cell: time, if any seed was still training; else what was not success."""
  return min(ended, key=(MINUTES, ITERATIONS, FAILED, CONVERGED).index)


def _testers(cell, config):
  """One for the row, by what it is for, and one for each test."""
  protocol, effort = cell.protocol, cell.effort
  row = max(*protocol.row, *protocol.scored)
  return {'': cell.tester(config, row, tasks.get(cell.task), effort.row),
          **{test.name: cell.tester(config, test.length, test.made(cell.task), effort.batch)
             for test in protocol.tests}}


def _tested(cell, state, testers, sequences):
  """Tests, row and score of one seed."""
  protocol, effort = cell.protocol, cell.effort
  batches = effort.others if state.converged == NEVER else effort.converged
  row = testers[''].curve(state.params, protocol.lengths(tasks.get(cell.task)))
  tests = {test.name: _test(testers[test.name], state.params, test.length, batches,
                            sequences if test == protocol.tests[0] else 1)
           for test in protocol.tests}
  measured = {'tests': {test.name: _counted(tests[test.name], test, testers[test.name])
                        for test in protocol.tests}}
  longest = protocol.tests[-1].length
  row |= {} if longest in row else {longest: tests[protocol.tests[-1].name]}
  measured |= {'curve': outcomes.curve(row), 'whole': {
      str(length): c.sequences_right / c.sequences for length, c in row.items()}}
  if protocol.scored:
    scored = outcomes.curve(testers[''].curve(state.params, protocol.scored))
    measured |= {'score': float(np.mean(list(scored.values())))}
  return measured


def _proved(cell, config, state, tested):
  """The same; for a seed that is right throughout, why it is not proved at every length, or ''."""
  model, task = models.build(config), tasks.get(cell.task)
  if not succeeded(tested):
    return tested
  try:
    verdict.check(model, task)
  except errors.UserError:  # No proof is known for such a cell, or of such a task.
    return tested
  return {**tested, 'still_open': verdict.still_open(model, state.params, task)}


def _test(tester, params, length, batches, sequences) -> Counts:
  """Of so many batches; if all of them are right, of so many sequences at least."""
  counts = tester.test(params, length, batches)
  more = -(-sequences // tester.batch_size)
  all_right = counts.sequences_right == counts.sequences
  return tester.test(params, length, more) if all_right and more > batches else counts


def _counted(counts: Counts, test, tester):
  return {**counts._asdict(), 'length': test.length, 'memory': tester.addresses}


def _write(cell, settings, config, seeds, **more):
  task, budget = tasks.get(cell.task), {
      name: getattr(settings, name) for name in ('minutes', 'max_iterations', 'sequences')}
  records.write(
      settings.results / FOLDER, cell.name, config, seeds, model=cell.model, task=cell.task,
      encoder=config.encoder or '', unit=task.answers.unit, protocol=cell.protocol.about,
      trained_to=cell.protocol.max_length, devices=jax.device_count(), budget=budget, **more)
