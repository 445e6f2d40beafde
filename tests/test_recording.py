"""What a recording holds is what the model does."""

import jax
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import models
from maes_jax import recording as recordings
from maes_jax import tasks
from maes_jax.config import Config
from tests import two_phases

LENGTH, ADDRESSES = 5, 9


@pytest.fixture(scope='module')
def recorded():
  """A recording of Odd Recall by a model with random parameters; what it is made from."""
  model = models.build(Config(task=('odd_recall',)))
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  rng = np.random.default_rng(0)
  params = jax.tree.map(lambda leaf: np.float32(rng.normal(size=leaf.shape)), shapes)
  recording = recordings.record(
      model, params, tasks.get('odd_recall'), LENGTH, ADDRESSES, seed=3)
  return model, params, recording


def test_encoding_and_solving_follow_each_other(recorded):
  recording = recorded[2]
  assert recording.solving == LENGTH + 1
  assert {len(part) for part in recording[:-5]} == {2 * LENGTH + 2}
  assert recording.starts.tolist() == [0, LENGTH + 1]
  assert recording.place.tolist() == 2 * list(range(LENGTH + 1))
  assert recording.cells == ('encoder', 'solver')
  assert recording.unit == 'bit'
  assert recording.solves.tolist() == [False] * (LENGTH + 1) + [True] * (LENGTH + 1)
  store, recall = recording.inputs[0, :2], recording.inputs[recording.solving, :2]
  assert (store.tolist(), recall.tolist()) == ([1, 0], [0, 1])
  assert np.flatnonzero(recording.asked).tolist() == [7, 8, 9]  # Items 1, 3 and 5 are asked.
  np.testing.assert_array_equal(recording.targets[7:10], recording.inputs[1:6:2, 2:])


@pytest.mark.parametrize('name, solving', [
    ('ignore', -1), ('interruption_not', -2)])
def test_solving_is_what_answers_last(name, solving):
  """After whatever is stored: cells that come in between and store or mark answer nothing."""
  model = models.build(Config(task=(name,)))
  params = model.init(jax.random.key(0))
  recording = recordings.record(model, params, tasks.get(name), LENGTH, 32)
  assert recording.solving == recording.starts[solving]
  answering = [recording.asked[recording.phase == phase].any()
               for phase in range(len(recording.starts))]
  first = recording.phase[recording.solving]
  assert all(answering[first:]) and not answering[first - 1]


@pytest.mark.parametrize('name, cells, places', [
    ('n_back', ('encoder', 'solver', *3 * ('solver', 'encoder')),
     [0, 1, 2, 0, 1, 1, 1, 1, 1, 1]),
    ('delayed_match', ('encoder', 'delay', 'solver'), [0, 1, 1, 2, 3, 4, 0, 1])])
def test_phases_are_of_cells_and_their_markers_are_no_items(name, cells, places):
  model = models.build(Config(task=(name,)))
  params = model.init(jax.random.key(0))
  recording = recordings.record(model, params, tasks.get(name), LENGTH, 16)
  assert (recording.cells, recording.place.tolist()) == (cells, places)
  assert (recording.inputs[recording.marks, :recording.control_bits] != 0).any(1).all()
  assert not recording.inputs[~recording.marks, :recording.control_bits].any()


def test_answers_are_the_models_own(recorded):
  model, params, recording = recorded
  half = recording.solving
  episode = two_phases.of(recording.inputs[:half], recording.inputs[half:],
                          recording.targets[half:], recording.asked[half:], np.int32(LENGTH))
  logits = jax.jit(lambda: model.answer(params, {'odd_recall': episode}, ADDRESSES))()
  np.testing.assert_allclose(
      recording.answers[half:], 1 / (1 + np.exp(-logits['odd_recall'])), atol=1e-6)


def test_wrong_are_bits_on_the_other_side_of_a_half(recorded):
  recording = recorded[2]
  wrong = {(step, bit) for step in (7, 8, 9) for bit in range(8)
           if (recording.answers[step, bit] > .5) != (recording.targets[step, bit] == 1)}
  assert 0 < len(wrong) < recording.units == 24
  assert set(zip(*map(list, np.nonzero(recording.wrong)))) == wrong


def test_a_model_without_memory_has_nothing_to_show():
  model = models.build(Config(model='lstm', layers=1, units=3))
  params = jax.eval_shape(lambda: model.init(jax.random.key(0)))
  with pytest.raises(errors.UserError, match='no memory to look at'):
    recordings.record(model, params, tasks.get('serial_recall'), LENGTH, ADDRESSES)


def test_what_is_no_model_or_of_another_is_said(recorded):
  model, params, _ = recorded
  task = tasks.get('odd_recall')
  with pytest.raises(errors.UserError, match=r'^the model is '):
    recordings.record(params, params, task, LENGTH, ADDRESSES)
  with pytest.raises(errors.UserError, match='of a population give one model'):
    recordings.record(model, jax.tree.map(lambda leaf: leaf[None], params), task, LENGTH, ADDRESSES)


def test_the_longest_that_the_error_names_is_the_longest_there_is(recorded, monkeypatch):
  model, params, _ = recorded
  task = tasks.get('odd_recall')
  monkeypatch.setattr(recordings, 'MOST', 2 * 10 * ADDRESSES * (LENGTH + 1))
  with pytest.raises(errors.UserError, match='use a length of at most 5 '):
    recordings.record(model, params, task, LENGTH + 1, ADDRESSES)
  recordings.record(model, params, task, LENGTH, ADDRESSES)


def test_the_longest_of_a_program_of_four_phases_is_what_can_be_shown(monkeypatch):
  task = tasks.get('temporal_rotation')
  model = models.build(Config(task=(task.name,)))
  recorder = lambda length: recordings.Recorder(model, task, length, 40)
  monkeypatch.setattr(recordings, 'MOST', recorder(9)._numbers)
  recorder(9).check()
  for length in (10, 30):
    with pytest.raises(errors.UserError, match='use a length of at most 9 '):
      recorder(length).check()
