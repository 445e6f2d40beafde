"""The paper's figures, drawn from shipped models and from records."""

from collections.abc import Callable
import pathlib

import numpy as np

from experiments.paper import records
from maes_jax import config
from maes_jax import diagnostics
from maes_jax import errors
from maes_jax import figures
from maes_jax import trained


def draw(name: str, results: pathlib.Path, checkpoints: pathlib.Path) -> pathlib.Path:
  """Draws one figure into `results/figures` and returns its file."""
  path = results / 'figures' / f'{name}.png'
  FIGURES[name](results, checkpoints, path)
  return path


def _training(run, title) -> Callable:
  """A figure of the training losses that the record of a run holds."""
  def figure(results, checkpoints, path):
    del checkpoints
    record = records.read(results, run)
    if record is None:
      raise errors.UserError(f'no record of {run} in {results}; run that part of the paper first')
    curves = [seed['losses'] for seed in record['seeds']]
    figures.training(curves, config.WINDOW, title, record['config']['stop_loss'], path)
  return figure


def _writing(results, checkpoints, path):
  """Figure 6: 100 items into 128 addresses."""
  del results
  encoder = trained.load(checkpoints / 'E_S')
  memory, attention = diagnostics.encode_random(
      encoder.model, encoder.params, length=100, addresses=128)
  figures.writing(attention, memory, 'E_S stores 100 random items in 128 addresses', path)


def _repeated(results, checkpoints, path):
  """Figure 7: one item 100 times, by E_S and by E_J."""
  del results
  stored = {}
  for name in ('E_S', 'E_R', 'E_J'):
    encoder = trained.load(checkpoints / name)
    values = diagnostics.repeated_words(encoder.model, encoder.params, length=100, addresses=128)
    stored[f'{name}, spread {float(diagnostics.forward_bias(values)):.2%}'] = np.asarray(values)
  figures.words(stored, 'One item repeated 100 times, as stored', path)


FIGURES: dict[str, Callable] = {
    'figure4': _training('E_S', 'Figure 4: MAES on Serial Recall, end to end (E_S)'),
    'figure6': _writing,
    'figure7': _repeated,
    'figure10': _training('E_J', 'Figure 10: Serial and Reverse Recall jointly (E_J)'),
    'figure11': _training(
        'E_J-sequence_comparison', 'Figure 11: Sequence Comparison on the frozen E_J'),
    'figure12': _training(
        'E_J-sequence_equality', 'Figure 12: Sequence Equality on the frozen E_J'),
}
