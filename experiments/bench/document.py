"""BENCHMARKS.md from the records of benchmarks."""

from collections.abc import Iterator, Sequence
import itertools
import pathlib

from . import accelerator
from . import tables
from . import targets
from .timing import Record
from ..shared import markdown
from ..shared import records
from maes_jax.training import workdir

_KEYS = {'machine', 'versions', 'repeats', 'seconds', 'rows'}
_CHOICES_KEYS = {'machine', 'versions', 'repeats', 'date', 'choices'}


def write(results: pathlib.Path, document: pathlib.Path):
  """Writes the document if there is a record."""
  if record := read(results):
    workdir.write_text(document, render(
        record, read_choices(results), list(accelerator.section(results))))


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


def render(record: Record, choices: Record | None = None, card: Sequence[str] = ()) -> str:
  """The whole document; `card` is its part on an accelerator."""
  parts = [_intro(record), _targets(record), _rows(record), card,
           _choices(choices) if choices else ()]
  return '\n'.join([*itertools.chain(*parts), ''])


def _intro(record) -> Iterator[str]:
  yield from [
      '# Speed', '',
      'Written by `python -m experiments.ledger` from `results/benchmark.json`, which `make bench`',
      'measures; do not edit.', '',
      f'{tables.run(record)}.', '', *tables.quietness(record),
      f'Within a row ours and the peers take turns, {record["repeats"]} times, in one process, all',
      'compiled and warm. Figures are median [lowest–highest] over the turns; a ratio is formed in',
      'each turn. Absolute rates move from machine to machine: compare the ratios.', '']


def _targets(record):
  yield from ['## Targets', '', 'A launch is one of `experiments.train`, its first metric that of '
              '100 iterations.', '']
  yield from tables.judged(record, targets.TARGETS)


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
      'at which all cores multiply matrices, copy within their caches and read the same 20 MB',
      'together, as a share of our time; a long test counts the addresses that it looks at. The',
      "bytes of the LSTM's 21 MB come from beyond the caches of single cores.", '']
  yield from tables.side_by_side(record)


def _choices(record):
  yield from [
      '', '## What is there for speed alone', '',
      'Each piece that is there for speed was taken out, and both programs took turns,',
      f'{record["repeats"]} times (`make bench-choices`, {record["date"]}; {record["machine"]}).',
      'A ratio is how many times as fast the program with the piece is; *compiling* is what a',
      'first run took beyond a later one in seconds, with and without.', '',
      *tables.quietness(record)]
  yield from markdown.table('piece | where | times as fast | compiling', [
      (choice['what'], where, tables.span(found['ratio']),
       ', '.join(f'{found["compile_seconds"][side]:.1f}' for side in ('with', 'without')))
      for choice in record['choices'].values() for where, found in choice['where'].items()])
