"""What the records of the matrix say: how many seeds are right, how far, after how many starts."""

from collections.abc import Collection, Mapping
import pathlib
from typing import Any

from . import cells
from . import execute
from . import protocol
from ..paper import runs
from ..shared.records import Record
from maes_jax.training import lengths

Found = Mapping[str, Record]  # By the name of the cell, 'model/task'.

# How far a cell got, the best first; what stands in it is worked out from these.
ALL, SOME, BEYOND, TRAINED, NOTHING, IMPOSSIBLE = (
    'all', 'some', 'beyond', 'trained', 'nothing', 'impossible')
LEVELS = {
    ALL: 'every seed is right in every sequence of every test',
    SOME: 'some seeds are',
    BEYOND: 'none is, but one is right beyond the lengths of training',
    TRAINED: 'none, but one is right at lengths of training, if only at the shorter ones',
    NOTHING: 'not even at the shortest',
    IMPOSSIBLE: 'not possible'}

MANY = 3200  # Sequences that the paper tests on.
_ORDER = {name: place for place, name in enumerate(cells.MODELS)}
# Of how far models are right on the paper's tasks, in the folder of results.
FIGURE = 'figures/lengths.png'


def found(results: pathlib.Path) -> dict[str, Record]:
  """All records of the matrix in a folder.

  Raises:
    UserError: a file there is not a record.
  """
  paths = sorted((results / execute.FOLDER).glob('*/*.json'))
  records = {f'{path.parent.name}/{path.stem}': execute.read(
      results, cells.Cell(path.parent.name, path.stem)) for path in paths}
  return {name: record for name, record in records.items() if record is not None}


def measured(records: Found, tasks: Collection[str]) -> list[str]:
  """The columns: models that one of these tasks has a record of, those of the matrix first."""
  models = {record['model'] for record in records.values() if record['task'] in tasks}
  return sorted(models, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


def done(records: Found, tasks: Collection[str]) -> tuple[list[str], list[str]]:
  """The tasks that have a record, and those that have none."""
  there = {record['task'] for record in records.values()}
  return ([task for task in tasks if task in there], [task for task in tasks if task not in there])


def parts(records: Found) -> dict[str, tuple[str, ...]]:
  """The rows by title: the tasks of the library, then others that were measured."""
  ours = {protocol.TITLES[name]: members for name, members in protocol.GROUPS.items()}
  known = {task for members in ours.values() for task in members}
  others = sorted({record['task'] for record in records.values()} - known)
  return {**ours, **({protocol.TITLES['others']: tuple(others)} if others else {})}


def level(record: Record) -> str:
  """How far it got."""
  if record['impossible']:
    return IMPOSSIBLE
  if right := succeeded(record):
    return ALL if right == len(record['seeds']) else SOME
  far = reach(record)
  return BEYOND if far > record['trained_to'] else TRAINED if far else NOTHING


def succeeded(record: Record) -> int:
  """How many seeds are right throughout."""
  return sum(map(execute.succeeded, record['seeds']))


def on_many(record: Record) -> bool:
  """Whether each seed that is right throughout is so in as many sequences as the paper tests on."""
  right = [seed for seed in record['seeds'] if execute.succeeded(seed)]
  return bool(right) and all(
      next(iter(seed['tests'].values()))['sequences'] >= MANY for seed in right)


def reach(record: Record) -> int:
  """The length up to which the best seed is right at all lengths of its row; 0: at none."""
  reached = protocol.of(record['task']).reached
  return max((_reach(seed['curve'], reached) for seed in record['seeds']), default=0)


def _reach(curve, reached):
  far = 0
  for length, share in sorted((int(length), share) for length, share in curve.items()):
    if share < reached:
      break
    far = length
  return far


def starts(record: Record, seed: Mapping[str, Any]) -> int:
  """How often a seed started, the first time included."""
  config = record['config']
  if not (every := config.get('restart_every')):
    return 1
  begun = -(-seed['iterations'] // every)
  return min(begun, lengths.starts(every, config['max_iterations']))


def score(record: Record) -> float | None:
  """The best seed's mean accuracy over the scored lengths."""
  return max((seed['score'] for seed in record['seeds'] if 'score' in seed), default=None)


def shares(records: Found) -> dict[str, dict[str, dict[int, list[float]]]]:
  """Of the paper's tasks, by model and length, what share of each seed's answers is right."""
  return {task: of_task for task in runs.PAPER_TASKS if (of_task := {
      model: _by_length(record['seeds']) for model in measured(records, [task])
      if (record := records[f'{model}/{task}'])['seeds']})}


def _by_length(seeds):
  return {int(length): [seed['curve'][length] for seed in seeds] for length in seeds[0]['curve']}
