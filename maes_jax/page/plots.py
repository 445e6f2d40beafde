"""The page's pictures; the only file that knows Bokeh.

Bokeh draws an image from a typed array in one step and needs 1.3 MB of script in the page. Time
and address are laid out here; page.js puts in the numbers of the step that is looked at.
"""

from typing import Any

from bokeh import document
from bokeh import embed as bokeh_embed
from bokeh import models
from bokeh import palettes
from bokeh import plotting
from bokeh import resources
import numpy as np

from maes_jax.recording import Recording

# Okabe and Ito's colours, told apart with any colour vision.
COLOURS = {'write': '#009E73', 'read': '#0072B2', 'wrong': '#D55E00'}
CONTENT = palettes.Cividis256
_INK, _LINE, _FONT = '#1f2933', '#d5dae0', 'system-ui, sans-serif'
_TEXT = '#6b7785'  # Of the axes: legible on the page's light and on its dark ground.
_RESOURCES = resources.Resources(mode='inline', components=['bokeh'])
_MOST_COLUMNS, _MOST_ROWS = 700, 300  # Of a picture of all steps; about the pixels it has.


def embed(recording: Recording) -> dict[str, Any]:
  """Bokeh's script, the script that draws, and a <div> for each picture by name."""
  figures, handles = _pictures(recording)
  page = document.Document()
  for figure in figures.values():
    page.add_root(figure)
  start = f'startPage({{{", ".join(handles)}}})'
  page.js_on_event('document_ready', models.CustomJS(args=handles, code=start))
  script, divs = bokeh_embed.components(figures)
  return {'bokeh': _RESOURCES.render_js(), 'script': script, 'figures': divs}


def _pictures(recording):
  """The figures by name, and the models in them that page.js changes."""
  steps, _, addresses = recording.memory.shape
  time = models.Range1d(-0.5, steps - 0.5)
  shown = models.Range1d(-0.5, addresses - 0.5)
  now = models.Span(location=0, dimension='height', line_color=_INK, line_width=1.5)
  memory, memory_source = _memory(recording, shown)
  weights, weights_source = _weights(addresses, shown)
  bits, bits_range = _bits(recording, now)
  figures = {
      'write': _attention('write', recording, time, now),
      'read': _attention('read', recording, time, now),
      'memory': memory, 'weights': weights, 'bits': bits}
  handles = {'now': now, 'addresses': shown, 'memory': memory_source, 'weights': weights_source,
             'steps': bits_range}
  return figures, handles


def _attention(name, recording, time, now):
  """Attention over all steps: the largest of the heads, and of all that one pixel holds."""
  weights = getattr(recording, name).max(axis=1).T
  addresses, steps = weights.shape
  wrong = np.flatnonzero(recording.wrong.any(axis=1))
  strip = 0.08 * addresses if wrong.size else 0  # For the marks of wrong steps, below address 0.
  figure = _figure(x_range=time, y_range=(-0.5 - strip, addresses - 0.5), height=150,
                   x_axis_label='time step', y_axis_label='address')
  figure.image([pool(weights, _MOST_ROWS, _MOST_COLUMNS)], x=-0.5, y=-0.5, dw=steps, dh=addresses,
               color_mapper=_mapper(_shades(COLOURS[name]), 0, 1))
  for start in recording.starts[1:]:
    figure.add_layout(models.Span(location=start - 0.5, dimension='height', line_color=_INK,
                                  line_dash='dotted'))
  figure.add_layout(now)
  figure.scatter(wrong, np.full(wrong.size, -0.5 - strip / 2), marker='triangle', size=9,
                 color=COLOURS['wrong'])
  figure.js_on_event('tap', models.CustomJS(code='page.goTo(Math.round(cb_obj.x))'))
  return figure


def _memory(recording, shown):
  """The memory that one step left: components across, addresses upwards."""
  _, width, addresses = recording.memory.shape
  source = models.ColumnDataSource({'image': [np.zeros((addresses, width), np.float32)]})
  figure = _figure(x_range=(-0.5, width - 0.5), y_range=shown, height=330,
                   x_axis_label='component of the word', y_axis_label='address')
  figure.xaxis.ticker = models.BasicTicker(min_interval=1)
  figure.image('image', source=source, x=-0.5, y=-0.5, dw=width, dh=addresses,
               color_mapper=_mapper(CONTENT, *content_range(recording)))
  figure.js_on_event('tap', models.CustomJS(code='page.look(Math.round(cb_obj.y))'))
  return figure, source


def _weights(addresses, shown):
  """Where one step writes and reads: a bar each by address."""
  zeros = np.zeros(addresses)
  source = models.ColumnDataSource({
      'above': np.arange(addresses) + 0.2, 'below': np.arange(addresses) - 0.2,
      'write': zeros, 'read': zeros})
  figure = _figure(x_range=(0, 1.05), y_range=shown, height=330, x_axis_label='attention')
  for name, y in (('write', 'above'), ('read', 'below')):
    figure.hbar(y=y, right=name, height=0.4, source=source, color=COLOURS[name])
  figure.xaxis.ticker = [0, 0.5, 1]
  figure.yaxis.visible = False
  return figure, source


def _bits(recording, now):
  """Inputs, targets and answers by step, as squares; a cross on all that is wrong."""
  rows = {'answer': recording.answers * recording.asked[:, None],
          'target': recording.targets, 'input': recording.inputs}
  gap = np.full((1, len(recording.inputs)), np.nan)
  parts, ticks, height = [], {}, 0
  for name, part in rows.items():
    ticks[height + part.shape[1] / 2 - 0.5] = name
    parts += [part.T[::-1], gap]
    height += part.shape[1] + 1
  steps = models.Range1d(-0.5, len(recording.inputs) - 0.5)
  figure = _figure(x_range=steps, y_range=(-0.6, height - 1.4), height=220,
                   x_axis_label='time step')
  figure.image([np.concatenate(parts[:-1]).astype(np.float32)], x=-0.5, y=-0.5,
               dw=len(recording.inputs), dh=height - 1,
               color_mapper=_mapper(_shades(_INK, light='#eef1f4'), 0, 1, nan_color='white'))
  step, number = np.nonzero(recording.marked)
  figure.scatter(step, recording.answers.shape[1] - 1 - number, marker='x', size=11, line_width=3,
                 color=COLOURS['wrong'])
  figure.add_layout(now)
  figure.yaxis.ticker = list(ticks)
  figure.yaxis.major_label_overrides = ticks
  figure.js_on_event('tap', models.CustomJS(code='page.goTo(Math.round(cb_obj.x))'))
  return figure, steps


def pool(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
  """Shrinks [R, C] to at most [rows, columns]: each cell the largest of what it covers."""
  for axis, most in ((0, rows), (1, columns)):
    size = image.shape[axis]
    starts = np.unique(np.linspace(0, size, min(size, most), endpoint=False).astype(int))
    image = np.maximum.reduceat(image, starts, axis=axis)
  return image.astype(np.float32)


def _figure(**options):
  figure = plotting.figure(toolbar_location=None, tools='', sizing_mode='stretch_width',
                           outline_line_color=_LINE, background_fill_color=None,
                           border_fill_color=None, **options)
  figure.grid.visible = False
  figure.axis.axis_line_color = figure.axis.major_tick_line_color = _LINE
  figure.axis.minor_tick_line_color = None
  figure.axis.axis_label_text_font = figure.axis.major_label_text_font = _FONT
  figure.axis.axis_label_text_font_style = 'normal'
  figure.axis.axis_label_text_color = figure.axis.major_label_text_color = _TEXT
  figure.min_border_right = 12
  return figure


def content_range(recording: Recording) -> tuple[float, float]:
  """The smallest and the largest number in memory at any step: the ends of its colours."""
  return float(recording.memory.min()), float(recording.memory.max())


def _mapper(palette, low, high, **options):
  return models.LinearColorMapper(palette=palette, low=low, high=high, **options)


def _shades(colour, light='#ffffff'):
  """From light to the colour, in 256 steps."""
  return palettes.interp_palette([light, colour], 256)
