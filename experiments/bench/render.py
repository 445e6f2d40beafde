"""BENCHMARKS.md from the record of a benchmark."""

from collections.abc import Iterator
import pathlib

from . import growth
from . import targets
from . import work
from .timing import Record
from ..paper import records
from maes_jax.training import workdir

FIGURE = 'figures/growth.png'
_KEYS = {'machine', 'versions', 'repeats', 'seconds', 'rows'}


def write(results: pathlib.Path, document: pathlib.Path, figures: bool):
  """Writes the document, and draws its figure, if there is a record."""
  record = read(results)
  if record is None:
    return
  if figures and 'growth' in record:
    growth.draw(record['growth'], results / FIGURE)
  workdir.write_text(document, render(record))


def read(results: pathlib.Path) -> Record | None:
  """The record of the benchmark, None where there is none yet.

  Raises:
    UserError: the file is not a record.
  """
  return records.load(results / 'benchmark.json', _KEYS, mend='run `make bench` again')


def render(record: Record) -> str:
  """The whole document."""
  sections = [_intro, _targets]
  sections += [_rows, _compiling] if record['rows'] else []
  sections += [_limit] if 'limits' in record else []
  sections += [_profiles] if record['rows'] else []
  sections += [part for name, part in _PARTS.items() if name in record]
  return '\n'.join(line for section in sections for line in section(record))


def _intro(record) -> Iterator[str]:
  versions = ', '.join(f'{name} {version}' for name, version in record['versions'].items())
  yield from [
      '# Speed', '',
      'Written by `python -m experiments.ledger` from `results/benchmark.json`, which `make bench`',
      'measures; do not edit.', '',
      f'One run of {record["seconds"]:,} seconds on {record["machine"]}; {versions}.', '',
      f'Within a row ours and the peers take turns, {record["repeats"]} times, in one process, all',
      'compiled and warm. Figures are median [lowest–highest] over the turns; a ratio is formed in',
      'each turn. Absolute rates move from machine to machine: compare the ratios.', '']


def _targets(record):
  yield from ['## Targets', '', '| row | at least | goal | measured | verdict |',
              '|---|---|---|---|---|']
  for target in targets.TARGETS:
    value, verdict = target.judge(record)
    measured = '' if value is None else f'{_number(value)} {target.unit}'
    yield (f'| {target.what} | {target.at_least:g} {target.unit} | {target.goal:g} {target.unit} '
           f'| {measured} | {verdict} |')
  yield ''


def _rows(record):
  yield from [
      '## Side by side', '',
      'The peers are written as well as eager PyTorch allows (`experiments/bench/torch_*.py`), run',
      'on one core or on all, whichever is faster, and flush denormal numbers to zero. A peer of',
      'K models is K runs of one. Peers have one length a batch, evenly spread from 3 to 20, which',
      'spares them masks and padding. *Equal* is the largest difference of our outputs from the',
      'peer\'s on the same parameters; above 1e-5 nothing is timed. *Loss* is that of our',
      'first and of our last run.', '',
      '| what | ours, per second | peer | peer, per second | ratio | equal | loss |',
      '|---|---|---|---|---|---|---|']
  for row in record['rows'].values():
    ours = row['sides']['ours']
    head = f'| {row["what"]} | {_span(ours["rate"])} {row["unit"]}'
    tail = f'{_equal(row)} | {_losses(ours)} |'
    for peer, ratio in row['ratios'].items() or [('', None)]:
      theirs = _span(row['sides'][peer]['rate']) if ratio else ''
      yield f'{head} | {peer} | {theirs} | {_span(ratio) + " ×" if ratio else ""} | {tail}'
  yield ''


def _compiling(record):
  yield from ['## Compiling', '',
              'Seconds that the first run took beyond a later one, without the cache on disk.', '',
              '| program | ours | peers |', '|---|---|---|']
  for row in record['rows'].values():
    peers = ', '.join(f'{name} {row["sides"][name]["compile_seconds"]:.1f}'
                      for name in row['ratios'])
    yield f'| {row["what"]} | {row["sides"]["ours"]["compile_seconds"]:.1f} | {peers} |'
  yield ''


def _limit(record):
  yield from ['## The limit', '',
              'What this machine did in the same run: products of matrices in the cache, copies in',
              'the cache and in memory.', '',
              '| | float32 operations / s | bytes / s in cache | bytes / s in memory |',
              '|---|---|---|---|']
  for name, found in record['limits'].items():
    rates = ('flops_per_second', 'cache_bytes_per_second', 'memory_bytes_per_second')
    yield f'| {name.replace("_", " ")} | {" | ".join(f"{found[r] / 1e9:,.0f} G" for r in rates)} |'
  yield from ['', 'The least work of a row, counted on paper as below, and the time that it would '
              'take at these', 'limits of all cores (in the cache), as a share of the measured '
              'time:', '',
              '| what | work counted | operations | bytes | share of the limit |',
              '|---|---|---|---|---|']
  for name, row in record['rows'].items():
    for counted, done in row['works'].items():
      share = targets.limit_share(record, name, counted)
      yield (f'| {row["what"]} | {counted} | {done["flops"]:,.0f} | {done["bytes"]:,.0f} '
             f'| {share:.2%} |')
  yield from ['', '```', *work.__doc__.strip().splitlines(), '```', '']


def _profiles(record):
  yield from ['## Where the time goes', '',
              'Shares of the time of all threads in one profiled run of ours. Profiling slows',
              'small operations down, so dispatch looks somewhat larger than it is.', '',
              '| what | by kind | the largest operations |', '|---|---|---|']
  for row in record['rows'].values():
    kinds, operations = (_shares(row['profile'][part]) for part in ('kinds', 'operations'))
    yield f'| {row["what"]} | {kinds} | {operations} |'
  yield ''


def _cost(record):
  yield from ['## The cost of a model', '',
              'By how much the cost of training one model falls when more are trained together,',
              'batch 1; the populations take turns.', '',
              '| models | fall |', '|---|---|']
  yield from (f'| {step} | {_span(fall, digits=4)} × |' for step, fall in record['cost'].items())
  yield ''


def _launch(record):
  found = record['launch']
  yield from ['## Launch and memory', '',
              'From the launch of `experiments.train` to its first metric, 100 iterations: '
              f'{_span(found["cold_seconds"])} s', 'with an empty cache of compiled programs, '
              f'{_span(found["warm_seconds"])} s with a filled one.', '']
  if 'peak_mebibytes' in found:
    yield from ['| process | peak memory, MiB |', '|---|---|']
    yield from (f'| {name} | {peak:,.0f} |' for name, peak in found['peak_mebibytes'].items())
    yield ''


def _growth(record):
  yield from ['## Growth', '', 'Milliseconds of one training iteration of MAES, batch 1, '
              'of all models together.', '', f'![growth](results/{FIGURE})', '',
              '| against | milliseconds |', '|---|---|']
  for axis, points in record['growth'].items():
    spans = (f'{value}: {_span({name: 1e3 * t for name, t in point.items()})}'
             for value, point in points.items())
    yield f'| {axis} | {"; ".join(spans)} |'
  yield ''


_PARTS = {'cost': _cost, 'launch': _launch, 'growth': _growth}


def _span(span, digits=3) -> str:
  median, low, high = (_number(span[part], digits) for part in ('median', 'low', 'high'))
  return f'{median} [{low}–{high}]'


def _number(value, digits=3) -> str:
  """Some digits, no more."""
  return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.{digits}g}'


def _equal(row):
  return '' if row['equal_within'] is None else f'{row["equal_within"]:.0e}'


def _losses(side):
  return ' → '.join(f'{loss:.3f}' for loss in side.get('losses', []))


def _shares(shares):
  return ', '.join(f'{name} {share:.0%}' for name, share in shares.items() if share >= 0.01)
