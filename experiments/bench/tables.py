"""Tables of a benchmark's record, with the numbers as people read them."""

from collections.abc import Iterator
import statistics

from . import quiet
from . import rows
from . import targets
from . import timing
from ..shared import markdown


def run(record) -> str:
  """How long, on what and with which versions."""
  versions = ', '.join(f'{name} {version}' for name, version in record['versions'].items())
  return f'One run of {record["seconds"]:,} seconds on {record["machine"]}; {versions}'


def quietness(record) -> Iterator[str]:
  """Whether the machine was quiet; no lines where a record does not say."""
  if not (looks := record.get('quiet')):
    return
  taken = timing.span([look['seconds'] for look in looks])
  others = statistics.mean(look['others'] or 0. for look in looks)
  known = looks[0]['others'] is not None
  yield from [
      f'A fixed piece of work, done {len(looks)} times between the parts, took {span(taken)} s'
      f'{f"; others had {others:.0%} of all cores then" if known else ""}.', '']
  if taken['high'] > quiet.SLOWER * taken['low'] or others > quiet.OTHERS:
    yield from ['**The machine was not quiet**: this run must not be compared with another one.',
                '']


def judged(record, held_to) -> Iterator[str]:
  """What was measured, by target, and the verdict."""
  def row(target):
    value, verdict = target.judge(record)
    measured = '' if value is None else f'{number(value)} {target.unit}'
    return (target.what, f'{target.at_least:g} {target.unit}', f'{target.goal:g} {target.unit}',
            measured, verdict)
  yield from markdown.table('row | at least | goal | measured | verdict', map(row, held_to))


def side_by_side(record) -> Iterator[str]:
  """Ours and each peer, row by row."""
  columns = ('what | ours, per second | peer | peer, per second | ratio | equal | loss | '
             'compiling, s')
  yield from markdown.table(
      columns + ' | limit' * ('limits' in record),
      [_row(record, name, peer) for name, row in record['rows'].items() for peer in row['ratios']])


def _row(record, name, peer):
  row = record['rows'][name]
  ours, theirs = row['sides']['ours'], row['sides'][peer]
  return (row['what'], f'{span(ours["rate"])} {row["unit"]}', peer, span(theirs['rate']),
          f'{span(row["ratios"][peer])} ×', _equal(row), _losses(ours),
          f'{ours["compile_seconds"]:.1f}, {theirs["compile_seconds"]:.1f}',
          *([_limit(record, name)] if 'limits' in record else []))


def span(span) -> str:
  """A median and its range."""
  return f'{number(span["median"])} [{number(span["low"])}–{number(span["high"])}]'


def number(value) -> str:
  """Three digits, no more."""
  return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'


def _equal(row):
  return '' if row['equal_within'] is None else f'{row["equal_within"]:.0e}'


def _losses(side):
  return ' → '.join(f'{loss:.3f}' for loss in side.get('losses', []))


def _limit(record, name):
  counted = rows.ROWS[name].counted
  return f'{targets.limit_share(record, name):.3g} %' if counted else ''
