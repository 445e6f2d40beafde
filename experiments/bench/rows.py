"""The rows of the benchmark: what is timed, against whom, and the work that it is on paper."""

from collections.abc import Callable, Mapping
import dataclasses
import functools

from . import ours
from . import timing
from . import work
from maes_jax import errors
from maes_jax import windowed

EAGER, COMPILED, GRAPHS, PACKAGE = 'PyTorch', 'torch.compile', 'CUDA graphs', 'dnc'
POPULATIONS = (1, 8, 32, 128)
CROWDS = (1, 10, 100, 1_000, 10_000)  # Populations on an accelerator.
_MEAN_LENGTH = (3 + 20) / 2  # Of training sequences.
_LONG = {'addresses': 1024, 'length': 1000, 'batch': 32}

Make = Callable[[], timing.Workload]


@dataclasses.dataclass(frozen=True)
class Row:
  """One line of the table.

  Attributes:
    what: for the reader.
    unit: what is counted per second.
    ours: makes our workload.
    peers: makes those of the peers, by name.
    checked: the model whose outputs must equal the peer's first; '' where they share no parameters.
    counted: what `work` counts, in words.
    least: the least work of one unit.
  """
  what: str
  unit: str
  ours: Make
  peers: Mapping[str, Make]
  checked: str = ''
  counted: str = ''
  least: work.Work | None = None


def measure(row: Row, repeats: int) -> timing.Record:
  """Checks and times one row; see BENCHMARKS.md for what its record holds."""
  equal_within = _peers().check(row.checked) if row.checked else None
  workloads = {'ours': row.ours(), **{name: make() for name, make in row.peers.items()}}
  sides = timing.interleave(workloads, repeats)
  return {
      'what': row.what, 'unit': row.unit, 'equal_within': equal_within, 'sides': sides,
      'ratios': {name: timing.ratio(sides['ours'], sides[name]) for name in row.peers},
      'works': {row.counted: row.least._asdict()} if row.least else {}}


def learned(record: timing.Record) -> bool:
  """Whether our training loss fell over the timed runs; what does not train has none."""
  losses = record['sides']['ours'].get('losses')
  return losses is None or losses[1] < losses[0]


def _peers():
  try:
    from . import peers
  except ImportError as error:
    raise errors.UserError(f'the peers of this row need {error.name}, which is not installed; '
                           'run `make bench`, it installs them') from error
  return peers


def _peer(function, *args, **options) -> Make:
  return lambda: getattr(_peers(), function)(*args, **options)


def _train(batch, seeds):
  iterations = 20 if batch == 1 else 10
  return Row(
      f'MAES training, batch {batch}, K = {seeds}', 'iterations per model',
      functools.partial(ours.training, seeds=seeds, batch=batch),
      {EAGER: _peer('training', 'maes', iterations, batch),
       COMPILED: _peer('compiled_training', iterations, batch)}, 'maes',
      'on paper', work.train_iteration(ours.ADDRESSES, batch, _MEAN_LENGTH))


def _on_card(batch, seeds):
  iterations = 20 if batch == 1 else 10
  peers = {EAGER: _peer('training', 'maes', iterations, batch),
           GRAPHS: _peer('replayed_training', 'maes', iterations, batch)}
  if seeds == 1:  # It compiles for a minute.
    peers[COMPILED] = _peer('compiled_training', iterations, batch)
  return Row(f'MAES training, batch {batch}, K = {seeds:,}', 'iterations per model',
             functools.partial(ours.training, seeds=seeds, batch=batch), peers, 'maes')


def _baseline(name, peer, seeds, iterations, window, checked, title='', least=None):
  return Row(
      f'{title or name.upper()} training, batch 1, K = {seeds}', 'iterations per model',
      functools.partial(ours.training, name, seeds=seeds, window=window),
      {peer: _peer('training', name, iterations)}, checked, 'on paper' if least else '', least)


_EITHER = {
    'test': Row(
        'MAES test, 32 sequences of length 1000, N = 1024', 'sequences',
        functools.partial(ours.testing, **_LONG), {EAGER: _peer('testing', **_LONG)}, 'maes',
        'the window', work.test_sequence(windowed.SIZES[0], _LONG['batch'], _LONG['length'])),
    'ntm': _baseline('ntm', EAGER, seeds=10, iterations=10, window=100, checked='ntm'),
    'lstm': _baseline('lstm', EAGER, seeds=1, iterations=20, window=100, checked='lstm',
                      least=work.lstm_iteration(_MEAN_LENGTH)),
}

# By what `--only` calls them, and which are measured on a CPU and on an accelerator.
ON_CPU: dict[str, Row] = {
    **{f'train_{batch}_{seeds}': _train(batch, seeds)
       for batch, populations in ((1, POPULATIONS), (64, (1, 10))) for seeds in populations},
    **_EITHER, 'dnc': _baseline('dnc', PACKAGE, seeds=10, iterations=5, window=50, checked=''),
    **{name: _baseline(name, EAGER, seeds=10, iterations=20, window=100, checked=name, title=title)
       for name, title in (('gru', 'GRU'), ('transformer', 'Transformer'))}}
ON_CARD: dict[str, Row] = {
    **{f'card_1_{seeds}': _on_card(1, seeds) for seeds in CROWDS}, 'card_64_10': _on_card(64, 10),
    **_EITHER}
ROWS = {**ON_CPU, **ON_CARD}
