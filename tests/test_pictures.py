"""What pictures show, looked up in matplotlib's own objects."""

import types

import jax
from matplotlib import pyplot as plt
import numpy as np
import pytest

from experiments.shared import look
from maes_jax import figures
from maes_jax import tasks


@pytest.fixture
def drawn(monkeypatch):
  """The figures that were saved, still open."""
  found = []
  monkeypatch.setattr(figures, 'save', lambda figure, path, write=None: found.append(figure))
  yield found
  plt.close('all')


def test_components_have_whole_numbers(drawn, tmp_path):
  figures.writing(np.eye(4), np.zeros((10, 4)), '', tmp_path)
  for axis in drawn[0].axes[:2]:
    assert all(tick == round(tick) for tick in axis.get_xticks())


def test_the_papers_number_of_iterations_is_a_line(drawn, tmp_path):
  figures.training([[1., .1]], 100, '', 1e-5, tmp_path, paper=9_200)
  figures.training([[1., .1]], 100, '', 1e-5, tmp_path)
  lines = [[list(line.get_xdata()) for line in figure.axes[0].lines] for figure in drawn]
  assert [9_200, 9_200] in lines[0] and len(lines[0]) == len(lines[1]) + 1


def test_repeated_items_are_shown_less_their_median(drawn, tmp_path):
  values = np.full((100, 3), .7)
  values[0, 1] += .01
  figures.words({'one': values, 'other': values}, '', tmp_path)
  shown = drawn[0].axes[0].images[0].get_array()
  assert shown[0, 1] == pytest.approx(.01)
  assert np.delete(shown.ravel(), 1).max() == pytest.approx(1e-6)


def test_every_head_is_in_a_picture(drawn, tmp_path):
  write = np.zeros((4, 2, 5))
  write[0, 0, 1] = write[0, 1, 3] = 1
  recording = types.SimpleNamespace(solving=2, cells=('encoder', 'solver'), tied=False,
                                    write=write, read=write[::-1], memory=np.zeros((4, 3, 5)))
  look.draw(recording, tasks.get('carry'), '', tmp_path)
  writes, _, reads = (axis.images[0].get_array() for axis in drawn[0].axes[:3])
  np.testing.assert_array_equal(writes[:, 0], [0, 1, 0, 1, 0])
  np.testing.assert_array_equal(reads[:, 1], [0, 1, 0, 1, 0])


def test_words_for_pictures_stand_beside_them(drawn, tmp_path):
  """At the address of each the last that was written there, upright; none for the marker."""
  inputs = np.zeros((8, 66), np.float32)
  inputs[1:4, 2:] = np.arange(3)[:, None]
  inputs[1, 2:10] = 9
  write = np.eye(6)[[0, 4, 2, 2, 0, 0, 0, 0]][:, None]
  recording = types.SimpleNamespace(solving=4, cells=('encoder', 'solver'), tied=False,
                                    write=write, read=write, inputs=inputs,
                                    marks=np.arange(8) % 4 == 0, memory=np.ones((8, 3, 6)))
  look.draw(recording, tasks.get('picture_change'), '', tmp_path)
  axis = drawn[0].axes[1]
  (high, first), (low, last) = ((image.get_extent()[2:], image) for image in axis.images[1:])
  assert (tuple(high), tuple(low)) == ((3.5, 4.5), (1.5, 2.5))
  assert (first.get_array()[0] == 9).all() and (last.get_array() == 2).all()
  assert first.origin == 'upper' and axis.get_ylim() == (-.5, 5.5)


def test_an_item_that_is_a_picture_is_drawn_as_one(drawn, tmp_path):
  """Eight columns a step, upright: its first row on top, below the answers."""
  task, pictures = tasks.get('picture_change'), np.zeros((3, 64), np.float32)
  pictures[1, :8], pictures[1, 8] = 1, .5
  program = task.about(pictures, 3, pictures, 3)
  figures.episodes([(task, jax.device_get(tasks.Episode(program, 3)))], tmp_path)
  (image,) = drawn[0].axes[0].images
  shown = image.get_array()
  assert shown.shape == (2 + 8 + 1, 8 * 8) and tuple(image.get_extent()) == (-.5, 7.5, -.5, 10.5)
  assert (shown[0, :8] == 1).all()  # The first marker.
  assert (shown[9, 16:24] == 1).all() and shown[8, 16] == .5 and shown[2:8, 16:24].sum() == 0
