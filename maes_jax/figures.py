"""Pictures of what models do; the only file that knows matplotlib. Draws without a display."""

from collections.abc import Callable, Mapping, Sequence
import functools
import io
import itertools
import pathlib
import tempfile

from maes_jax import extras
extras.need('figures', 'a picture')
import chex
import matplotlib
matplotlib.use('Agg')
from matplotlib import animation as animations
from matplotlib import colors
from matplotlib import pyplot as plt
from matplotlib import ticker
import numpy as np

from maes_jax import errors
from maes_jax import files
from maes_jax import phases
from maes_jax import tasks
from maes_jax.tasks import text

# Okabe and Ito's colours, told apart with any colour vision.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')


MOST_FRAMES = 120  # Of a film; some 15 seconds.
# What pictures of a model at work show, one after the other.
TWO_PHASES = 'encoder writes', 'memory after encoding', 'solver reads'
MORE_PHASES = 'writes before it answers', 'memory when it answers', 'reads as it answers'


def attention(
    write: chex.Array,  # [T, N] where the encoder writes
    read: chex.Array,  # [T, N] where the solver reads
    memory: chex.Array,  # [W, N] what the encoder left
    title: str,
    path: pathlib.Path,
    pictures: Mapping[int, chex.Array] | None = None,
    names: tuple[str, str, str] = TWO_PHASES,
):
  """Write attention, the memory at the end, and read attention, over the same addresses.

  Beside the words that stand for them, by their addresses, `pictures` [h, w]. `names` are those of
  the three.
  """
  content = np.min(memory), np.max(memory)
  figure, (_, stored, _) = _three(write, memory, read, content, names, title)
  if pictures:
    _beside(stored.axes, pictures, len(memory))
  save(figure, path)


def _beside(axis, pictures, width):
  """Pictures right of their words, each as high as a row and about as broad."""
  rows = axis.get_ylim()
  for address, picture in pictures.items():
    axis.imshow(picture, aspect='auto', cmap='gray_r', vmin=0,
                extent=(width - 0.2, width + 1.4, address - 0.5, address + 0.5))
  axis.set(xlim=(-0.5, width + 1.4), ylim=rows, xticks=range(0, width, 2))


def animation(
    write: chex.Array,  # [T, N] where the encoder writes
    read: chex.Array,  # [S, N] where the solver reads
    memory: chex.Array,  # [T + S, W, N] after each step of encoding, then of solving
    title: str,
    path: pathlib.Path,
    names: tuple[str, str, str] = TWO_PHASES,
):
  """The same picture step by step, as a film of at most `MOST_FRAMES` frames."""
  path = files.local(path)  # Before the film is there, which complains if nobody takes it.
  memory, steps = np.asarray(memory), len(write)
  content = memory.min(), memory.max()
  figure, (writes, stored, reads) = _three(
      write, memory[0], read, content, (names[0], 'memory', names[2]), title)

  def draw(step):
    stored.set_data(memory[step].T)
    writes.set_data(_until(write, step).T)
    reads.set_data(_until(read, step - steps).T)

  frames = np.unique(np.linspace(0, len(memory) - 1, MOST_FRAMES).astype(int))
  film = animations.FuncAnimation(figure, draw, frames)
  save(figure, path, functools.partial(_film, film))


def _until(attention, step):
  """Blank after a step."""
  return np.where(np.arange(len(attention))[:, None] <= step, attention, np.nan)


def _three(write, memory, read, content, names, title):
  """Write attention [T, N], memory [W, N] and read attention [T, N]; the figure and its images."""
  figure, axes = plt.subplots(
      1, 3, figsize=(11, 4.2), layout='constrained', sharey=True, width_ratios=[1, 0.5, 1])
  writes = _heat(axes[0], np.asarray(write).T, 'time step', names[0], 'viridis', 0, 1)
  stored = _heat(axes[1], np.asarray(memory).T, 'component of the word', names[1], 'cividis',
                 *content)
  reads = _heat(axes[2], np.asarray(read).T, 'time step', names[2], 'viridis', 0, 1)
  axes[0].set_ylabel('memory address')
  figure.colorbar(stored, ax=axes[1], label='content')
  figure.colorbar(reads, ax=axes[2], label='attention')
  figure.suptitle(title)
  return figure, (writes, stored, reads)


def writing(write: chex.Array, memory: chex.Array, title: str, path: pathlib.Path):
  """Write attention [T, N] during encoding and the memory [W, N] at its end (Figure 6)."""
  figure, axes = plt.subplots(
      1, 2, figsize=(8, 4.2), layout='constrained', sharey=True, width_ratios=[1, 0.5])
  weight = _heat(axes[0], np.asarray(write).T, 'time step', 'write attention', 'viridis', 0, 1)
  stored = _heat(axes[1], np.asarray(memory).T, 'component of the word', 'memory at the end',
                 'cividis')
  axes[0].set_ylabel('memory address')
  figure.colorbar(weight, ax=axes[0], label='attention')
  figure.colorbar(stored, ax=axes[1], label='content')
  figure.suptitle(title)
  save(figure, path)


def episodes(shown: Sequence[tuple[tasks.Task, tasks.Episode]], path: pathlib.Path):
  """One episode of each task: what is read, above it the answers that count, who is on duty.

  A column is a step. Encoder and solver have the same colours throughout.

  Args:
    shown: tasks and episodes known to the host.
    path: the file.
  """
  columns = min(len(shown), _COLUMNS)
  rows = -(-len(shown) // columns)
  figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 2.4 * rows), squeeze=False,
                              layout='constrained')
  for axis, each in itertools.zip_longest(axes.flat, shown):
    if each is None:
      axis.axis('off')
    else:
      _episode(axis, *each)
  save(figure, path)


_COLUMNS = 3


def _episode(axis, task, episode):
  """From the bottom: control bits, items, answers (empty where none counts), who is on duty."""
  stretches = [(phase.cell.removeprefix(phases.OWN), *_read_and_due(task, phase))
               for phase in text.in_time(episode)]
  cells = list(dict.fromkeys([phases.ENCODER, phases.SOLVER, *(name for name, _, _ in stretches)]))
  read, due = (np.concatenate(parts, axis=1) for parts in list(zip(*stretches))[1:])
  duty = np.concatenate([np.full(part.shape[1] // breadth(task), cells.index(name))
                         for name, part, _ in stretches])
  top = len(read) + len(due)
  axis.imshow(np.concatenate([read, due]), cmap='Blues', vmin=-0.15, vmax=1, aspect='auto',
              origin='lower', interpolation='nearest',
              extent=(-0.5, len(duty) - 0.5, -0.5, top - 0.5))
  for i, name in enumerate(cells):
    where = np.flatnonzero(duty == i)
    axis.bar(where, 1.2, width=1, bottom=top + 0.3, color=COLOURS[i % len(COLOURS)], label=name)
  edges = task.all_control_bits - 0.5, len(read) - 0.5, top - 0.5
  axis.hlines(edges, -0.5, len(duty) - 0.5, color='0.4', linewidth=0.6)
  axis.set(title=task.name, ylim=(-0.5, top + 1.6), yticks=[], xlim=(-0.5, len(duty) - 0.5))
  axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
  axis.legend(fontsize='xx-small', loc='upper left', bbox_to_anchor=(0, -0.1), ncols=4,
              columnspacing=1, frameon=False)


def _read_and_due(task, phase):
  """What a phase reads [X, T], and what must be answered [Y, T]; of pictures [., 8 T]."""
  steps, broad = int(phase.steps), breadth(task)
  due = np.full((steps, task.outputs), np.nan)
  if phase.asked:
    due = np.where(phase.mask[:steps, None], phase.targets[:steps], np.nan)
  control, items = np.split(np.asarray(phase.inputs[:steps]), [task.inputs - task.items.width], 1)
  rows = items.reshape(steps, -1, broad).swapaxes(0, 1).reshape(-1, steps * broad)
  upright = rows if broad == 1 else rows[::-1]  # Rows are drawn from the bottom on.
  read = np.concatenate([np.repeat(control.T, broad, axis=1), upright])
  return read, np.repeat(due.T, broad, axis=1)


def breadth(task: tasks.Task) -> int:
  """How broad an item is drawn: a picture as one, all else as a column."""
  return getattr(task.items, 'breadth', 1)


_LEAST = 1e-6  # Of the differences that are shown; below it float32 rounds.
_FIRST = 8  # Copies that are shown.


def words(stored: Mapping[str, chex.Array], title: str, path: pathlib.Path):
  """What encoders store of one repeated item, [n, W] by title, less the median copy (Figure 7).

  In size, on a logarithmic scale, of the first copies: what came before shows there most, and an
  encoder that stores all alike is dark all over.
  """
  figure, axes = plt.subplots(
      1, len(stored), figsize=(3.6 * len(stored), 4.2), layout='constrained', sharey=True,
      squeeze=False)
  for axis, (name, values) in zip(axes[0], stored.items()):
    away = np.clip(np.abs(values - np.median(values, axis=0))[:_FIRST], _LEAST, 1)
    image = _heat(axis, away, 'component of the word', name, 'cividis')
    image.set_norm(colors.LogNorm(_LEAST, 1))
  axes[0, 0].set_ylabel('item, in the order written')
  figure.colorbar(image, ax=axes, label='difference from the median copy')
  figure.suptitle(title)
  save(figure, path)


def training(curves: Sequence[Sequence[float]], every: int, title: str, goal: float,
             path: pathlib.Path, paper: int | None = None):
  """Training loss over iterations, a thin line per seed, with a dot where it ends.

  Args:
    curves: mean losses of windows, by seed.
    every: iterations of a window.
    title: of the figure.
    goal: the loss at which training ends.
    path: the file.
    paper: iterations to that loss in the paper, as a line; None for none.
  """
  figure, axis = plt.subplots(figsize=(7, 4), layout='constrained')
  for k, curve in enumerate(curves):
    iterations = every * np.arange(1, len(curve) + 1)
    axis.plot(iterations, curve, color=COLOURS[0], alpha=0.45, linewidth=1,
              label=f'{len(curves)} seeds' if k == 0 else None)
    axis.plot(iterations[-1:], curve[-1:], '.', color=COLOURS[0])
  axis.axhline(goal, color=COLOURS[1], linestyle='--', linewidth=1,
               label=f'converged: 100-iteration mean at {goal:.0e}')
  if paper:
    axis.axvline(paper, color=COLOURS[2], linestyle=':', linewidth=1.5,
                 label=f'the paper converges: {paper:,} iterations')
  axis.set(yscale='log', xlabel='training iteration', title=title, xlim=(0, None),
           ylabel='training loss (nats per bit)')
  axis.grid(alpha=0.3)
  axis.legend(frameon=False)
  save(figure, path)


_MARKERS = 'osD^v<>'  # One more than colours, so that pairs repeat late.


def generalisation(
    curves: Mapping[str, Mapping[tuple[str, str], Mapping[int, tuple[float, float, float]]]],
    trained_to: int,
    path: pathlib.Path,
    note: str,
):
  """Share of right bits over the length of the sequences; a panel per task, a line per model.

  Args:
    curves: by panel, (model, kind of test) and length, the share with the ends of its interval.
      Colours tell models apart, dashes kinds of test.
    trained_to: the longest sequence of training.
    path: of the file.
    note: what the lines and the intervals are, for the title.
  """
  figure, axes = plt.subplots(
      1, len(curves), figsize=(3 * len(curves), 4), layout='constrained', sharey=True,
      squeeze=False)
  names = list(dict.fromkeys(name for lines in curves.values() for name, _ in lines))
  for axis, (title, lines) in zip(axes[0], curves.items()):
    for i, ((name, test), points) in enumerate(lines.items()):
      style, (share, low, high) = names.index(name), np.array([*points.values()]).T
      dashed = [kind for other, kind in lines if other == name].index(test)
      apart = np.array([*points]) * 1.03**i  # Or one would hide the other's interval.
      axis.errorbar(apart, share, (share - low, high - share), color=COLOURS[style % len(COLOURS)],
                    marker=_MARKERS[style % len(_MARKERS)], markersize=3.5, linewidth=1.4,
                    elinewidth=0.6,
                    linestyle='--' if dashed else '-', label=f'{name}, {test}')
    axis.axvline(trained_to, color='0.6', linestyle=':', linewidth=1)
    axis.axhline(0.5, color='0.6', linestyle='--', linewidth=1)
    axis.set(xscale='log', xlabel='items', title=title, ylim=(0.4, 1.03))
    axis.grid(alpha=0.3)
  axes[0, 0].set_ylabel('share of right bits')
  handles = {label: handle for axis in axes[0]
             for handle, label in zip(*axis.get_legend_handles_labels())}
  figure.legend(handles.values(), handles.keys(), loc='outside lower center',
                ncols=4, frameon=False)
  figure.suptitle(f'The best of each population, trained on up to {trained_to} items (dotted); '
                  f'grey dashes: guessing\n{note}', fontsize='medium')
  save(figure, path)


def lengths(
    shares: Mapping[str, Mapping[str, Mapping[int, Sequence[float]]]],
    reached: float,
    trained_to: int,
    path: pathlib.Path,
):
  """Share of right answers by model and length, a panel per task.

  A field has the colour of the median seed, and how many seeds are right in at least `reached`.

  Args:
    shares: by task, model and length, those of the seeds.
    reached: from what share on a seed counts.
    trained_to: the longest sequence of training, a line behind it.
    path: of the file.
  """
  models = list(dict.fromkeys(model for rows in shares.values() for model in rows))
  size = max(9, 2 + 2.4 * len(shares)), 1.8 + .26 * len(models)  # At least as wide as its title.
  figure, axes = plt.subplots(
      1, len(shares), figsize=size, layout='constrained', sharey=True, squeeze=False)
  for axis, (task, rows) in zip(axes[0], shares.items()):
    image = _field_by_field(axis, rows, models, reached, trained_to)
    axis.set(title=task, xlabel='items')
  axes[0, 0].set_yticks(range(len(models)), models)
  figure.colorbar(image, ax=axes, label='share of right bits, median seed')
  figure.suptitle(
      f'How far each model is right; numbers: seeds with at least {reached:.0%} of bits right; '
      'behind the line: longer than in training', fontsize='medium')
  save(figure, path)


def _field_by_field(axis, rows, models, reached, trained_to):
  """A panel of `lengths`."""
  measured = sorted({length for row in rows.values() for length in row})
  seeds = [[rows.get(model, {}).get(length, ()) for length in measured] for model in models]
  middle = [[np.median(of_seeds) if of_seeds else np.nan for of_seeds in row] for row in seeds]
  image = axis.imshow(middle, aspect='auto', cmap='viridis', vmin=.5, vmax=1)
  for (row, column), share in np.ndenumerate(middle):
    if seeds[row][column]:
      right = sum(one >= reached for one in seeds[row][column])
      axis.text(column, row, right, ha='center', va='center', fontsize='x-small',
                color='w' if share < .8 else 'k')
  axis.axvline(sum(length <= trained_to for length in measured) - .5, color='w', linewidth=1.5)
  axis.set_xticks(range(len(measured)), measured, rotation=90, fontsize='x-small')
  return image


def _heat(axis, values, xlabel, title, colours, low=None, high=None):
  axis.set(xlabel=xlabel, title=title)
  for one in (axis.xaxis, axis.yaxis):
    one.set_major_locator(ticker.MaxNLocator(integer=True))
  return axis.imshow(values, aspect='auto', origin='lower', cmap=colours, vmin=low, vmax=high,
                     interpolation='nearest')


def save(
    figure: plt.Figure, path: pathlib.Path, draw: Callable[[str], bytes] | None = None,
):
  """Writes a figure, whole or not at all, and closes it.

  Args:
    figure: of matplotlib.
    path: its ending says the format; without one it is PNG.
    draw: makes a file of such a format instead of the figure's own picture.

  Raises:
    UserError: the format is unknown or the place cannot be written.
  """
  try:
    path = files.local(path)
    kind = path.suffix.lower()[1:] or 'png'
    content = draw(kind) if draw else _picture(figure, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomically(path, content)
  except (OSError, ValueError) as error:
    raise errors.UserError(f'cannot write the figure {path}: {error}') from error
  finally:
    plt.close(figure)


def _picture(figure, kind) -> bytes:
  content = io.BytesIO()
  metadata = {'Software': None} if kind == 'png' else None
  figure.savefig(content, format=kind, dpi=120, metadata=metadata)
  return content.getvalue()


def _film(film, kind) -> bytes:
  """Its writer takes a name only, and writes frame by frame."""
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / f'film.{kind}'
    film.save(path, animations.PillowWriter(fps=8), dpi=80)
    return path.read_bytes()
