"""BENCHMARKS.md from the records of benchmarks."""

from collections.abc import Iterator, Sequence
import itertools
import pathlib
import statistics

from . import rows
from . import targets
from .timing import Record
from ..paper import runs
from ..shared import markdown
from ..shared import records
from maes_jax.training import workdir

Pair = tuple[records.Record, records.Record]  # Of a training run, on an accelerator and on a CPU.
_KEYS = {'machine', 'versions', 'repeats', 'seconds', 'rows'}
_CARD_KEYS = _KEYS | {'date', 'precision', 'launch', 'crowd'}
_CHOICES_KEYS = {'machine', 'versions', 'repeats', 'date', 'choices'}


def write(results: pathlib.Path, document: pathlib.Path):
  """Writes the document if there is a record."""
  if record := read(results):
    more = read_choices(results), read_card(results), both_ways(results)
    workdir.write_text(document, render(record, *more))


def read(results: pathlib.Path) -> Record | None:
  """The record of the benchmark, None where there is none yet.

  Raises:
    UserError: the file is not a record.
  """
  return records.load(results / 'benchmark.json', _KEYS, mend='run `make bench` again')


def read_choices(results: pathlib.Path) -> Record | None:
  """The record of what each piece for speed gains, None where there is none yet."""
  return records.load(
      results / 'choices.json', _CHOICES_KEYS, mend='run `make bench-choices` again')


def read_card(results: pathlib.Path) -> Record | None:
  """The record of the benchmark on an accelerator, None where there is none yet."""
  return records.load(
      results / 'accelerator.json', _CARD_KEYS, mend='run `make bench-accelerator` again')


def both_ways(results: pathlib.Path) -> list[Pair]:
  """The records of training runs on an accelerator, each with that of the same run on a CPU."""
  pairs = ((records.read(results / 'accelerator', name), records.read(results, name))
           for name in runs.RUNS)
  return [(card, cpu) for card, cpu in pairs if card and cpu]


def render(record: Record, choices: Record | None = None, card: Record | None = None,
           pairs: Sequence[Pair] = ()) -> str:
  """The whole document."""
  parts = [_intro(record), _targets(record), _rows(record),
           _on_card(card) if card else (), _same_seeds(pairs) if pairs else (),
           _choices(choices) if choices else ()]
  return '\n'.join([*itertools.chain(*parts), ''])


def _intro(record) -> Iterator[str]:
  yield from [
      '# Speed', '',
      'Written by `python -m experiments.ledger` from `results/benchmark.json`, which `make bench`',
      'measures; do not edit.', '',
      f'{_run(record)}.', '',
      f'Within a row ours and the peers take turns, {record["repeats"]} times, in one process, all',
      'compiled and warm. Figures are median [lowest–highest] over the turns; a ratio is formed in',
      'each turn. Absolute rates move from machine to machine: compare the ratios.', '']


def _run(record):
  versions = ', '.join(f'{name} {version}' for name, version in record['versions'].items())
  return f'One run of {record["seconds"]:,} seconds on {record["machine"]}; {versions}'


def _targets(record):
  yield from ['## Targets', '', 'A launch is one of `experiments.train`, its first metric that of '
              '100 iterations.', '']
  yield from _judged(record, targets.TARGETS)


def _judged(record, held_to):
  def row(target):
    value, verdict = target.judge(record)
    measured = '' if value is None else f'{_number(value)} {target.unit}'
    return (target.what, f'{target.at_least:g} {target.unit}', f'{target.goal:g} {target.unit}',
            measured, verdict)
  yield from markdown.table('row | at least | goal | measured | verdict', map(row, held_to))


def _rows(record):
  yield from [
      '', '## Side by side', '',
      'The peers are written as well as eager PyTorch allows (`experiments/bench/torch_*.py`), run',
      'on one core or on all, whichever is faster, and flush denormal numbers to zero. A peer of',
      'K models is K runs of one. Peers have one length a batch, evenly spread from 3 to 20, which',
      'spares them masks and padding. *Equal* is the largest difference of our outputs from the',
      'peer\'s on the same parameters; above 1e-5 nothing is timed. *Loss* is that of our',
      'first and of our last run. *Compiling* is what a first run took beyond a later one, ours',
      'and the peer\'s, without the cache on disk. *Limit* is the time that the least operations',
      'and bytes of a row, counted on paper (`experiments/bench/work.py`), would take at the rates',
      'at which all cores multiply matrices and copy within their caches, as a share of our time;',
      'a long test counts the addresses that it looks at.', '']
  yield from _side_by_side(record)


def _side_by_side(record):
  columns = ('what | ours, per second | peer | peer, per second | ratio | equal | loss | '
             'compiling, s')
  yield from markdown.table(
      columns + ' | limit' * ('limits' in record),
      [_row(record, name, peer) for name, row in record['rows'].items() for peer in row['ratios']])


def _row(record, name, peer):
  row = record['rows'][name]
  ours, theirs = row['sides']['ours'], row['sides'][peer]
  return (row['what'], f'{_span(ours["rate"])} {row["unit"]}', peer, _span(theirs['rate']),
          f'{_span(row["ratios"][peer])} ×', _equal(row), _losses(ours),
          f'{ours["compile_seconds"]:.1f}, {theirs["compile_seconds"]:.1f}',
          *([_limit(record, name)] if 'limits' in record else []))


def _on_card(record):
  crowd, precision = record['crowd'], record['precision']
  yield from [
      '', '## On an accelerator', '',
      f'{_run(record)}; {record["date"]}. Written from `results/accelerator.json`, which',
      '`make bench-accelerator` measures.', '']
  yield from _judged(record, targets.ON_CARD)
  yield from [
      '', f'The thousand are seeds of E_J, one after the other; {crowd["converged"]:,} converged '
      'before the last iteration,',
      f'{crowd["median_iterations"]:,} iterations in the median. The time has the launch and '
      'compiling with an empty cache in it.', '',
      'The peers are on the card, too. *CUDA graphs* records an iteration of each length, then',
      'launches it as a whole. One iteration of ours is some 1,400 small kernels, a graph by',
      'itself and launched by the card: a thousand models take hardly longer than one.', '']
  yield from _side_by_side(record)
  yield from [
      '', 'How far results lie from those of a CPU (no two platforms agree to the last digit):',
      'after 100 iterations of training, in the parameter that differs most; in the answers to 32',
      'sequences of 1,000 items, in the logit that does. *Highest* and *default* are precisions of',
      'products of matrices as JAX names them.', '']
  yield from markdown.table('what | difference | bits right', [
      *((f'training, {name}', f'{value:.0e}', '') for name, value in precision['training'].items()),
      *((f'answers, {name}', f'{found["difference"]:.0e}', f'{found["right"]:.4%}')
        for name, found in precision['answers'].items())])


def _same_seeds(pairs):
  yield from [
      '', 'The same seeds trained on the card and on a CPU, and tested at length 1,000',
      '(`experiments.reproduce`, four runs at a time on the card; `results/accelerator/`). Where',
      'an iteration takes 64 sequences they go apart sooner: rounding differs in each.', '']
  yield from markdown.table(
      'run | converged: card, CPU | median iterations: card, CPU | '
      'seeds with all bits right: card, CPU | training, s: card, CPU',
      [(card['name'], *(', '.join(map(describe, (card, cpu)))
                        for describe in (_converged, _median, _perfect, _training)))
       for card, cpu in pairs])


def _converged(run):
  return f'{len(_ends(run))} of {len(run["seeds"])}'


def _median(run):
  return f'{statistics.median_low(_ends(run)):,}' if _ends(run) else '-'


def _ends(run):
  return [seed['converged'] for seed in run['seeds'] if seed['converged'] is not None]


def _perfect(run):
  tests = [next(iter(seed['test'].values())) for seed in run['seeds']]
  return f'{sum(test["bits_right"] == test["bits"] for test in tests)} of {len(tests)}'


def _training(run):
  seconds = run.get('train_seconds')
  return '-' if seconds is None else f'{seconds:,.0f}'


def _choices(record):
  yield from [
      '', '## What is there for speed alone', '',
      'Each piece that is there for speed was taken out, and both programs took turns,',
      f'{record["repeats"]} times (`make bench-choices`, {record["date"]}; {record["machine"]}).',
      'A ratio is how many times as fast the program with the piece is; *compiling* is what a',
      'first run took beyond a later one in seconds, with and without.', '']
  yield from markdown.table('piece | where | times as fast | compiling', [
      (choice['what'], where, _span(found['ratio']),
       ', '.join(f'{found["compile_seconds"][side]:.1f}' for side in ('with', 'without')))
      for choice in record['choices'].values() for where, found in choice['where'].items()])


def _span(span) -> str:
  return f'{_number(span["median"])} [{_number(span["low"])}–{_number(span["high"])}]'


def _number(value) -> str:
  """Three digits, no more."""
  return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'


def _equal(row):
  return '' if row['equal_within'] is None else f'{row["equal_within"]:.0e}'


def _losses(side):
  return ' → '.join(f'{loss:.3f}' for loss in side.get('losses', []))


def _limit(record, name):
  counted = rows.ROWS[name].counted
  return f'{targets.limit_share(record, name):.3g} %' if counted else ''
