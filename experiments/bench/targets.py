"""What the benchmark is held to, as ratios of one run, and the verdict on each."""

from collections.abc import Callable
import dataclasses
import itertools
import math

from . import rows
from . import timing
from . import work

GOAL, ENOUGH, MISSED, OPEN = 'goal reached', 'reached', 'missed', 'not measured'


@dataclasses.dataclass(frozen=True)
class Target:
  """One line: what, the bounds, their unit, and how to find the value in a record."""
  what: str
  at_least: float
  goal: float
  unit: str
  value: Callable[[timing.Record], float]
  less_is_better: bool = False

  def judge(self, record: timing.Record) -> tuple[float | None, str]:
    """The measured value and the verdict."""
    try:
      value = self.value(record)
    except KeyError:
      return None, OPEN
    reached = [value <= bound if self.less_is_better else value >= bound
               for bound in (self.at_least, self.goal)]
    return value, GOAL if reached[1] else ENOUGH if reached[0] else MISSED


def limit_share(record: timing.Record, row: str) -> float:
  """The least time that the work of a row can take, in percent of the time that it takes."""
  cores, measured = record['limits']['all_cores'], record['rows'][row]
  least = work.Work(**measured['works'][rows.ROWS[row].counted]).seconds(
      **{name: rate for name, rate in cores.items() if name != 'cores'})
  return 100 * least * measured['sides']['ours']['rate']['median']


def _ratio(row, peer=rows.EAGER):
  return lambda record: record['rows'][row]['ratios'][peer]['median']


def _falls(record):
  """By how much the cost of a model falls from one population to the next."""
  rates = [record['rows'][f'train_1_{seeds}']['sides']['ours']['rate']['median']
           for seeds in rows.POPULATIONS]
  return [many / few for few, many in itertools.pairwise(rates)]


def _share(row):
  return lambda record: limit_share(record, row)


def _launch(which):
  return lambda record: record['launch'][f'{which}_seconds']['median']


ON_CARD = [
    Target('a thousand E_J, trained for 5,000 iterations at most', 60, 20, 's',
           lambda record: record['crowd']['seconds'], True),
    Target('training, batch 1, K = 1,000, against CUDA graphs', 20, 1000, '×',
           _ratio('card_1_1000', rows.GRAPHS)),
    Target('training, batch 1, K = 1, against CUDA graphs', 1, 2, '×',
           _ratio('card_1_1', rows.GRAPHS)),
    Target('launch to first metric, filled cache', 6, 3, 's', _launch('warm'), True),
]
TARGETS = [
    Target('training, batch 1, K = 32, against PyTorch', 100, 300, '×', _ratio('train_1_32')),
    Target('training, batch 1, K = 1, against PyTorch', 25, 60, '×', _ratio('train_1_1')),
    Target('training, batch 64, K = 10, against PyTorch', 15, 20, '×', _ratio('train_64_10')),
    Target('test at length 1000, against PyTorch', 8, 40, '×', _ratio('test')),
    Target('NTM training, K = 10, against PyTorch', 50, 50, '×', _ratio('ntm')),
    Target('DNC training, K = 10, against the package `dnc`', 50, 50, '×',
           _ratio('dnc', rows.PACKAGE)),
    Target('LSTM training, against `torch.nn.LSTM`', 1.3, 1.5, '×', _ratio('lstm')),
    Target('GRU training, K = 10, against `torch.nn.GRU`', 1, 10, '×', _ratio('gru')),
    Target('Transformer training, K = 10, against `torch.nn.MultiheadAttention`', 1, 10, '×',
           _ratio('transformer')),
    Target('cost per model, its smallest fall from one K to the next', 1, 1, '×',
           lambda record: min(_falls(record))),
    Target('cost per model, its fall from K = 1 to K = 128', 1, 4, '×',
           lambda record: math.prod(_falls(record))),
    Target('launch to first metric, filled cache', 2.5, 2, 's', _launch('warm'), True),
    Target('launch to first metric, empty cache', 20, 10, 's', _launch('cold'), True),
    Target('`make demo` after the install, empty cache', 12, 12, 's',
           lambda record: record['demo']['seconds'], True),
    Target('share of the limit, training K = 32', 15, 30, '%', _share('train_1_32')),
    Target('share of the limit, test', 15, 50, '%', _share('test')),
]
