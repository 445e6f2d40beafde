"""The matrix as one HTML file: models × tasks, a click opens a cell; without a network."""

import math
import pathlib
from typing import Any

from maes_jax import extras
extras.need('pages', '--render')
import jinja2

from . import cells
from . import published
from . import scores
from ..shared.records import Record

_PARTS = pathlib.Path(__file__).parent
_OF_CONFIG = ('model', 'cell', 'solver', 'solvers', 'recipe', 'batch_size', 'learning_rate',
              'min_length', 'max_length', 'memory', 'validation_length', 'stop_on', 'stop_loss',
              'restart_every')


def render(records: scores.Found) -> str:
  """The page of these records as HTML."""
  environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_PARTS), autoescape=False)
  environment.policies['json.dumps_kwargs'] = {  # And not sorted.
      'ensure_ascii': False, 'allow_nan': False}
  return environment.get_template('page.html').render(
      levels=scores.LEVELS, many=scores.MANY,
      measured=sum(not record['impossible'] for record in records.values()),
      matrix=_matrix(records))


def _matrix(records) -> dict[str, Any]:
  """All that the script needs."""
  return {
      'about': cells.ABOUT,
      'parts': [_part(title, tasks, records) for title, tasks in scores.parts(records).items()],
      'published': {task: dict(zip(published.STRINGS_COLUMNS, theirs))
                    for task, theirs in published.STRINGS.items()},
      'cells': {name: _cell(record) for name, record in records.items()}}


def _part(title, tasks, records) -> dict[str, Any]:
  done, todo = scores.done(records, tasks)
  return {'title': title, 'models': scores.measured(records, tasks), 'tasks': done, 'todo': todo}


def _cell(record: Record) -> dict[str, Any]:
  return {
      'level': scores.level(record), 'right': scores.succeeded(record),
      'on_many': scores.on_many(record), 'reach': scores.reach(record),
      'score': scores.score(record),
      'config': {name: record['config'][name] for name in _OF_CONFIG if name in record['config']},
      **{name: record[name] for name in (
          'impossible', 'protocol', 'unit', 'trained_to', 'ended', 'budget', 'seconds',
          'train_seconds', 'machine', 'devices', 'versions', 'encoder')},
      'seeds': [{**_seed(seed), 'starts': scores.starts(record, seed)}
                for seed in record['seeds']]}


def _seed(seed) -> dict[str, Any]:
  """What is shown of it; None for a loss that is not finite, as JSON has no word for that."""
  said = {name: seed[name] for name in ('seed', 'iterations', 'converged', 'ended', 'loss', 'tests',
                                        'curve', 'whole', 'still_open') if name in seed}
  return said if math.isfinite(seed['loss']) else said | {'loss': None}
