"""Pictures and films are whole or not there, or go straight into what is no file."""

import os
import pathlib
import threading

from matplotlib import pyplot
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import figures

STARTS = {'png': b'\x89PNG', 'pdf': b'%PDF', 'svg': b'<?xml', 'gif': b'GIF89a'}


def draw(path):
  figures.attention(np.eye(3), np.eye(3), np.eye(3), 'title', path)


def film(path):
  figures.animation(np.eye(1), np.eye(1), np.ones((2, 2, 1)), 'title', path)


def make(path):
  (film if path.suffix == '.gif' else draw)(path)


@pytest.mark.parametrize('kind', STARTS)
def test_the_ending_says_the_format(tmp_path, kind):
  path = tmp_path / 'folder' / f'picture.{kind}'
  make(path)
  assert path.read_bytes().startswith(STARTS[kind])
  assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize('kind', ['png', 'gif'])
def test_a_pipe_gets_it_and_stays(tmp_path, kind):
  path, got = tmp_path / f'pipe.{kind}', []
  os.mkfifo(path)
  reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
  reader.start()
  make(path)
  reader.join(20)
  assert got[0].startswith(STARTS[kind])
  assert path.is_fifo()


@pytest.mark.parametrize('kind', ['png', 'gif'])
def test_one_that_is_there_stays_if_drawing_or_writing_fails(tmp_path, monkeypatch, kind):
  path = tmp_path / f'picture.{kind}'
  path.write_text('old')

  def fail(*unused, **unused_too):
    raise OSError('No space left on device')

  for place, name in ((pyplot.Figure, 'savefig'), (figures.animations.PillowWriter, 'finish'),
                      (figures.files.os, 'fsync')):
    with monkeypatch.context() as patch:
      patch.setattr(place, name, fail)
      if name != ('savefig' if kind == 'gif' else 'finish'):
        with pytest.raises(errors.UserError, match=r'cannot write the figure .*No space'):
          make(path)
    pyplot.close('all')
  assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [(path.name, 'old')]


@pytest.mark.parametrize('name', ['picture.nothing', 'picture.x/../y.zip'])
def test_an_unknown_format_is_an_error(tmp_path, name):
  with pytest.raises(errors.UserError, match='cannot write the figure'):
    draw(tmp_path / name)


def test_without_an_ending_it_is_png(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  draw(pathlib.Path('~/picture'))
  assert (tmp_path / 'picture').read_bytes().startswith(STARTS['png'])


def test_how_far_models_are_right_has_a_number_of_seeds_in_every_field(tmp_path, monkeypatch):
  texts = []
  monkeypatch.setattr(figures, 'save', lambda figure, path: texts.extend(
      (axis.get_title(), [text.get_text() for text in axis.texts]) for axis in figure.axes))
  shares = {'one': {'a': {5: [.99, .5], 10: [1., 1.]}, 'b': {5: [.98, .98]}},
            'two': {'b': {5: [1.]}}}
  figures.lengths(shares, .99, 5, tmp_path / 'x.png')
  pyplot.close('all')
  assert texts[:2] == [('one', ['1', '2', '0']), ('two', ['1'])]


@pytest.mark.parametrize('models', [1, len(figures.COLOURS) + 1])
def test_one_panel_and_any_number_of_models_can_be_drawn(tmp_path, models):
  points = {10: (1., .9, 1.)}
  lines = {(f'model {i}', 'N'): points for i in range(models)}
  figures.generalisation({'one': lines}, 20, tmp_path / 'lines.png', '')
  figures.words({'one': np.eye(8)}, '', tmp_path / 'words.png')
  assert {path.name for path in tmp_path.iterdir()} == {'lines.png', 'words.png'}
