"""What was measured on an accelerator: a part of BENCHMARKS.md."""

from collections.abc import Iterator
import pathlib

from . import tables
from . import targets
from ..paper import claims
from ..paper import runs
from ..shared import markdown
from ..shared import records

_KEYS = {
    'machine', 'versions', 'repeats', 'seconds', 'rows', 'date', 'precision', 'launch', 'crowd'}


def section(results: pathlib.Path) -> Iterator[str]:
  """Its lines; none where nothing was measured.

  Raises:
    UserError: a file is no record.
  """
  record = records.load(
      results / 'accelerator.json', _KEYS, mend='run `make bench-accelerator` again')
  if record:
    yield from _measured(record)
    yield from _same_seeds(results)


def _measured(record):
  crowd, precision = record['crowd'], record['precision']
  yield from [
      '', '## On an accelerator', '',
      f'{tables.run(record)}; {record["date"]}. Written from `results/accelerator.json`, which',
      '`make bench-accelerator` measures.', '', *tables.quietness(record)]
  yield from tables.judged(record, targets.ON_CARD)
  yield from [
      '', f'The thousand are seeds of E_J, one after the other; {crowd["converged"]:,} converged '
      'before the last iteration,',
      f'{crowd["median_iterations"]:,} iterations in the median. The time has the launch and '
      'compiling with an empty cache in it.', '',
      'The peers are on the card, too. *CUDA graphs* records an iteration of each length, then',
      'launches it as a whole. One iteration of ours is some 1,400 small kernels, a graph by',
      'itself and launched by the card: a thousand models take hardly longer than one.', '']
  yield from tables.side_by_side(record)
  yield from [
      '', 'How far results lie from those of a CPU (no two platforms agree to the last digit):',
      'after 100 iterations of training, in the parameter that differs most; in the answers to 32',
      'sequences of 1,000 items, in the logit that does. *Highest* and *default* are precisions of',
      'products of matrices as JAX names them.', '']
  yield from markdown.table('what | difference | bits right', [
      *((f'training, {name}', f'{value:.0e}', '') for name, value in precision['training'].items()),
      *((f'answers, {name}', f'{found["difference"]:.0e}', f'{found["right"]:.4%}')
        for name, found in precision['answers'].items())])


def _same_seeds(results):
  yield from [
      '', 'Seeds of the same numbers trained on the card and on a CPU, and tested at length 1,000',
      '(`experiments.reproduce`, four runs at a time on the card; `results/accelerator/`). *: the',
      'recipe, or that of the encoder, is another one on the CPU, where it was measured later.',
      'Where both are the same only rounding differs; batches of 64 go apart sooner.', '']
  cards, cpus = ({name: claims.read(folder, name) for name in runs.RUNS}
                 for folder in (results / 'accelerator', results))
  yield from markdown.table(
      'run | on | seeds that succeed | iterations | bits right at length 1000 | training, s',
      [(record['name'], where, *claims.outcome(record), _seconds(record))
       for name, run in runs.RUNS.items() if (card := cards[name]) and (cpu := cpus[name])
       for where, record in ((f'card{_changed(cards, cpus, (name, run.encoder))}', card),
                             ('CPU', cpu))])


def _changed(cards, cpus, names):
  """A mark where one of these runs was not trained alike on both."""
  alike = all(cards[name] and cpus[name] and cards[name]['config'] == cpus[name]['config']
              for name in names if name)
  return '' if alike else '*'


def _seconds(record):
  seconds = record.get('train_seconds')
  return '-' if seconds is None else f'{seconds:,.0f}'
