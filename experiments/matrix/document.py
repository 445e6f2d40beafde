"""SUITE.md: every cell of the matrix that has a record, from the records alone."""

import collections
import functools

from . import cells
from . import protocol
from . import published
from . import scores
from ..shared import markdown
from ..shared.records import Record
from ..shared.records import versions_in

_VARIANTS = '\n'.join(f'* *{name}*: {about}' for name, about in cells.ABOUT.items())
_HEAD = f'''# Models × tasks

Written by `python -m experiments.suite --render` from the records in `results/suite/`; do not edit.
[results/suite.html](results/suite.html) is the same as a page: a click on a cell opens its curves.

A cell is a population of seeds of a model, trained on one task by the recipe of its family, with
the changes that `maes_jax/recipes.py` and `maes_jax/families.py` make for some tasks, until all
have converged or its budget is over. *Converged*: the loss that the recipe stops on is at most
1e-5, or what it asks for instead (`stop_loss`). A seed that has not learnt a task soon may start
anew, from other parameters (`restart_every`); its iterations are those of all its starts. *n of m*:
so many of m seeds are right in every sequence of every test; †: each of them in {scores.MANY:,}
sequences of the first test or more, as many as in the paper. *To L*: the best seed has at least
{protocol.SIMPLE.reached:.0%} of its bits (tokens) right at all lengths measured up to L, of answers
about pictures {protocol.PICTURES.reached:.0%}. ×: not possible, and why below. ·: not measured.
Models start from nothing, but for those on a frozen encoder; they are those of
[docs/models.md](docs/models.md), and

{_VARIANTS}
'''


def render(records: scores.Found) -> str:
  """SUITE.md; the same records give the same bytes."""
  return '\n'.join([
      _HEAD, *(line for title, tasks in scores.parts(records).items()
               for line in _part(title, tasks, records)),
      *_proved(records), *_far(records), *_strings(records), *_pictures(records),
      *_protocols(records),
      *_impossible(records), *_cells(records), *_made(records), ''])


def _far(records):
  if not scores.shares(records):
    return []
  return ["## How far each model is right on the paper's tasks", '',
          f'![Share of right bits by model and length](results/{scores.FIGURE})', '']


def _part(title, tasks, records):
  """The cells that have a record, and which tasks have none."""
  columns, (there, todo) = scores.measured(records, tasks), scores.done(records, tasks)
  lines = [f'## {title}', '']
  if there:
    lines += [*markdown.table(' | '.join(['task', *columns]), [
        (task, *(_text(records.get(f'{model}/{task}')) for model in columns))
        for task in there]), '']
  if todo:
    lines += [f'Not measured yet: {", ".join(todo)}.', '']
  return lines


def _text(record) -> str:
  if record is None:
    return '·'
  if record['impossible']:
    return '×'
  many = '†' if scores.on_many(record) else ''
  said = f'{scores.succeeded(record)} of {len(record["seeds"])}{many}'
  if scores.level(record) == scores.ALL:
    return f'**{said}**'
  return f'{said}, to {far:,}' if (far := scores.reach(record)) else said


def _proved(records):
  """Cells of which a seed may be proved; there is no section where none is."""
  reasons = {name: [seed['still_open'] for seed in record['seeds'] if 'still_open' in seed]
             for name, record in records.items()}
  rows = [(name, f'{said.count("")} of {len(records[name]["seeds"])}', _counted(filter(None, said)))
          for name, said in reasons.items() if said]
  if not rows:
    return []
  return ['## Proved at every length', '', 'Of seeds that are right in every test, those that are '
          '[proved](docs/certificates.md) right on\nevery sequence of every length, where such a '
          'proof is known: for MAES, and tasks that store once and then ask. Cells\nthat were '
          'measured before proofs were looked for are not here.', '',
          *markdown.table('cell | proved | the others that are right', rows), '']


def _counted(reasons) -> str:
  return '; '.join(f'{count} × {reason}' for reason, count in collections.Counter(reasons).items())


def _strings(records):
  columns = scores.measured(records, protocol.GROUPS['strings'])
  return ['## Strings, beside what was published', '',
          'Mean accuracy in percent over lengths 41 to 500, of the best seed. In brackets:\n'
          f'{published.STRINGS_SOURCE}:\nthe best of 10 seeds and 3 learning rates, each trained '
          'for a million steps of batch 128; its Tape-RNN is\ngiven the length of the input. Ours '
          'are over a sample of these lengths, after minutes.', '', *markdown.table(
              ' | '.join(['task', *columns, *(f'({name})' for name in published.STRINGS_COLUMNS)]),
              [(task, *(_score(records.get(f'{model}/{task}')) for model in columns),
                *map(str, published.STRINGS[task])) for task in protocol.GROUPS['strings']]), '']


def _score(record):
  if record is None or record['impossible']:
    return _text(record)
  return _percent(scores.score(record))


def _percent(share):
  return '·' if share is None else f'{share:.0%}'.removesuffix('%')


def _pictures(records):
  """By set size; there is no section where no model was measured."""
  cells = [(name, record['seeds']) for name, record in records.items()
           if record['task'] in protocol.GROUPS['pictures'] and record['seeds']]
  if not cells:
    return []
  sizes = sorted({int(size) for _, seeds in cells for seed in seeds for size in seed['curve']})
  return ['## Pictures, by how many there are', '',
          'Percent of answers right about pictures held out, seed by seed. Half is chance.', '',
          *markdown.table(' | '.join(['cell', *(f'{size:,}' for size in sizes)]), [
              (name, *('; '.join(_percent(seed['curve'].get(str(size))) for seed in seeds)
                       for size in sizes))
              for name, seeds in cells]), '']


def _protocols(records):
  tasks = [task for members in scores.parts(records).values() for task in members]
  said: dict[str, list[str]] = {}
  for task in tasks:
    by_protocol = _models_by_protocol(task, records)
    for about, members in by_protocol.items():
      others = f' ({", ".join(members)})' if len(by_protocol) > 1 else ''
      said.setdefault(about, []).append(task + others)
  return ['## How each task is trained and tested', '', 'Lengths as [docs/tasks.md](docs/tasks.md) '
          'counts them.', '', *markdown.table('tasks | protocol', [
              (', '.join(members), about) for about, members in said.items()]), '',
          'Sequences of a test, of the first one more where a cell has a †; and of a length of a\n'
          'row or a score:', '', *markdown.table(
              'model | test of a seed that converged | of any other | a length', [
                  _effort(name, effort) for name, effort in (
                      ('all but these', cells.Effort()), *cells.EFFORTS.items())]), '']


def _models_by_protocol(task, records) -> dict[str, list[str]]:
  """The models that were trained on a task by what its protocol was then; of none, today's."""
  found: dict[str, list[str]] = {}
  for record in records.values():
    if record['task'] == task and record['seeds']:
      found.setdefault(record['protocol'], []).append(record['model'])
  return found or {protocol.of(task).about: []}


def _effort(name, effort):
  return (name, str(effort.converged * effort.batch), str(effort.others * effort.batch),
          str(effort.row))


def _impossible(records):
  reasons: dict[tuple[str, str], list[str]] = {}
  for record in records.values():
    if record['impossible']:
      reasons.setdefault((record['model'], record['impossible']), []).append(record['task'])
  if not reasons:
    return []
  return ['## Not possible', '', *markdown.table('model | tasks | why', [
      (model, ', '.join(tasks), why) for (model, why), tasks in reasons.items()]), '']


def _cells(records):
  measured = {name: record for name, record in records.items() if record['seeds']}
  if not measured:
    return []
  return ['## Every cell', '', 'By seed: the iteration at which it converged, or what ended it, '
          'and in brackets how many starts it had, if not 1;\nthen the share of bits (tokens), '
          'and of whole sequences, that is right, at each test.', '', *markdown.table(
              'cell | converged at | bits right | sequences right | seconds', [
                  (name, _each(record, functools.partial(_when, record)), _each(record, _units),
                   _each(record, _sequences), f'{record["seconds"]:,.0f}')
                  for name, record in measured.items()]), '']


def _each(record, say):
  return '; '.join(map(say, record['seeds']))


def _when(record, seed):
  said = '' if seed['converged'] is not None else f'{seed["ended"]} at '
  times = scores.starts(record, seed)
  return f'{said}{seed["iterations"]:,}' + (f' ({times})' if times > 1 else '')


def _units(seed):
  return ', '.join(f'{test["units_right"] / test["units"]:.1%}' for test in seed['tests'].values())


def _sequences(seed):
  return ', '.join(f'{test["sequences_right"]} of {test["sequences"]}'
                   for test in seed['tests'].values())


def _made(records):
  by_model: dict[str, list[Record]] = {}
  for record in records.values():
    if record['seeds']:
      by_model.setdefault(record['model'], []).append(record)
  if not by_model:
    return []
  return ['## How these were made', '', *markdown.table(
      'model | cells | seeds | budget of a cell | ended by | minutes in all | machine', [
          (model, str(len(members)), _span(len(record['seeds']) for record in members),
           f'{_span(record["budget"]["minutes"] for record in members)} min, '
           f'{_span(record["budget"]["max_iterations"] for record in members)} iterations',
           ', '.join(f'{count} × {how}' for how, count in sorted(collections.Counter(
               record['ended'] for record in members).items())),
           f'{sum(record["seconds"] for record in members) / 60:,.0f}',
           '; '.join(sorted({record['machine'] for record in members})))
          for model, members in by_model.items()]), '',
      *versions_in(records.values())]


def _span(numbers):
  values = sorted(set(numbers))
  return f'{values[0]:,}' if len(values) == 1 else f'{values[0]:,} to {values[-1]:,}'
