"""The paper's figures, drawn from shipped models and from records."""

from collections.abc import Callable
import dataclasses
import itertools
import pathlib

import numpy as np

from ..shared import look
from ..shared import records
from . import claims
from . import runs
import maes_jax
from maes_jax import config
from maes_jax import diagnostics
from maes_jax import tasks
from maes_jax import trained


@dataclasses.dataclass(frozen=True)
class Figure:
  """How to draw a figure, and the records and shipped models that it needs."""
  draw: Callable[[pathlib.Path, pathlib.Path, pathlib.Path], None]  # results, checkpoints, file
  records: tuple[str, ...] = ()
  models: tuple[str, ...] = ()


def drawable(results: pathlib.Path, checkpoints: pathlib.Path) -> list[str]:
  """The figures for which everything is there."""
  return [name for name, figure in FIGURES.items()
          if all(records.path(results, run).exists() for run in figure.records)
          and all((checkpoints / model).is_dir() for model in figure.models)]


def draw(name: str, results: pathlib.Path, checkpoints: pathlib.Path) -> pathlib.Path:
  """Draws one figure into `results/figures` and returns its file."""
  path = results / 'figures' / f'{name}.png'
  FIGURES[name].draw(results, checkpoints, path)
  return path


def _training(run, title, paper) -> Figure:
  """The training losses that the record of a run holds, and the paper's number of iterations."""
  def figure(results, checkpoints, path):
    del checkpoints
    record = claims.read(results, run)
    curves = [seed['losses'] for seed in record['seeds']]
    maes_jax.figures.training(
        curves, config.WINDOW, title, record['config']['stop_loss'], path, paper)
  return Figure(figure, records=(run,))


def _writing(results, checkpoints, path):
  """Figure 6: 100 items into 128 addresses."""
  del results
  encoder = trained.load(checkpoints / 'E_S')
  memory, attention = diagnostics.encode_random(
      encoder.model, encoder.params, length=100, addresses=128)
  maes_jax.figures.writing(attention, memory, 'E_S stores 100 random items in 128 addresses', path)


def _at_work(results, checkpoints, path):
  """The whole way of a sequence: written, stored, read."""
  del results
  look.draw_attention(trained.load(checkpoints / 'E_J'), tasks.get('reverse_recall'), 40, path)


def _repeated(results, checkpoints, path):
  """Figure 7: one item 100 times, by every encoder; what differs, as all of it looks alike."""
  del results
  stored = {}
  for name in runs.ENCODERS:
    encoder = trained.load(checkpoints / name)
    values = diagnostics.repeated_words(encoder.model, encoder.params, length=100, addresses=128)
    stored[f'{name}, spread {float(diagnostics.forward_bias(values)):.2%}'] = np.asarray(values)
  maes_jax.figures.words(
      stored, 'One item repeated 100 times: how far its first copies are from the others', path)


_FAMILIES = {'MAES': 'E_J', 'NTM': 'ntm', 'DNC': 'dnc', 'LSTM': 'lstm'}


_EARLIER = {'dnc': 4}  # Sequences a length where a record does not say; of others 32.


def _generalisation(results, checkpoints, path):
  """Table 2 as curves over length, of every family of models that was measured."""
  del checkpoints
  curves = {}
  for task, (family, prefix) in itertools.product(runs.PAPER_TASKS, _FAMILIES.items()):
    if record := claims.read(results, f'{prefix}-{task}'):
      curves.setdefault(task.replace('_', ' '), {}).update(
          _curves(family, runs.RUNS[f'{prefix}-{task}'], record))
  maes_jax.figures.generalisation(
      curves, config.Config().max_length, path, 'in brackets: sequences a length; bars: 95 % '
      'interval (Wilson), in which each counts once')


def _curves(family, run, record):
  """By (model, kind of test) and length the share of right bits of the best and its interval."""
  told, best = claims.published(record), claims.best(record)
  name = family if told or not run.is_baseline else f'{family} without phase bit'
  before = _EARLIER.get(run.options.get('model'), 32)
  kinds = {'N = 1024': '', **({'N = 2L + 2': claims.DOUBLE} if told else {})}
  found = {}
  for kind, memory in kinds.items():
    test = claims.at(best, memory)
    count = test.get('curve_sequences', before)
    found[name, f'{kind} ({count})'] = {
        int(length): (share, *claims.wilson(share, count))
        for length, share in test['curve'].items()}
  return found


FIGURES: dict[str, Figure] = {
    'memory_at_work': Figure(_at_work, models=('E_J',)),
    'figure4': _training('E_S', 'Figure 4: MAES on Serial Recall, end to end (E_S)', 11_000),
    'figure6': Figure(_writing, models=('E_S',)),
    'figure7': Figure(_repeated, models=tuple(runs.ENCODERS)),
    'figure10': _training('E_J', 'Figure 10: Serial and Reverse Recall jointly (E_J)', 12_000),
    'figure11': _training(
        'E_J-sequence_comparison', 'Figure 11: Sequence Comparison on the frozen E_J', 11_000),
    'figure12': _training(
        'E_J-sequence_equality', 'Figure 12: Sequence Equality on the frozen E_J', 9_200),
    'table2': Figure(_generalisation, records=tuple(f'E_J-{task}' for task in runs.PAPER_TASKS)),
}
