"""Pictures of what models do; the only file that knows matplotlib. Draws without a display."""

import pathlib

import chex
import matplotlib
matplotlib.use('Agg')
from matplotlib import pyplot as plt
import numpy as np

from maes_jax import errors


def attention(
    write: chex.Array,  # [T, N] where the encoder writes
    read: chex.Array,  # [T, N] where the solver reads
    memory: chex.Array,  # [W, N] what the encoder left
    title: str,
    path: pathlib.Path,
):
  """Write attention, the memory at the end, and read attention, over the same addresses."""
  figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), layout='constrained', sharey=True,
                              width_ratios=[1, 0.5, 1])
  for axis, values, name in ((axes[0], write, 'encoder writes'), (axes[2], read, 'solver reads')):
    image = axis.imshow(np.asarray(values).T, aspect='auto', origin='lower', cmap='viridis',
                        vmin=0, vmax=1, interpolation='nearest')
    axis.set(xlabel='time step', title=name)
  stored = axes[1].imshow(np.asarray(memory).T, aspect='auto', origin='lower', cmap='cividis',
                          interpolation='nearest')
  axes[1].set(xlabel='component of the word', title='memory after encoding')
  axes[0].set_ylabel('memory address')
  figure.colorbar(stored, ax=axes[1], label='content')
  figure.colorbar(image, ax=axes[2], label='attention')
  figure.suptitle(title)
  save(figure, path)


def save(figure, path: pathlib.Path):
  """Writes and closes a figure; the ending of `path` says the format."""
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
  except (OSError, ValueError) as error:
    raise errors.UserError(f'cannot write the figure {path}: {error}') from error
  finally:
    plt.close(figure)
