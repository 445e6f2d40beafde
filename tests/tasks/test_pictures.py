"""Tasks on pictures: answers against the digits of the pictures shown; what they need."""

import dataclasses
import importlib.util
import sys

import jax
import numpy as np
import pytest

import maes_jax
from maes_jax import errors
from maes_jax import extras
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.tasks import pictures
from maes_jax.training import metrics
from tests.tasks import stream

NEEDED = pytest.mark.skipif(importlib.util.find_spec('sklearn') is None,
                            reason='no scikit-learn; pip install scikit-learn')
SPLITS = (tasks.TRAINING, tasks.HELD_OUT)


def digit_of(picture, split):
  """The digit that a picture of a part shows."""
  pool = pictures.pool(split)
  (found,) = np.flatnonzero((pool.pictures == np.float32(picture)).all(axis=1))
  return int(pool.digits[found])


def drawn(name, split, count=64, padded=6):
  """Steps of episodes of one part, of lengths 1 to `padded`."""
  task = tasks.get(name)
  draw = jax.jit(lambda keys, lengths: tasks.sample_batch(task, keys, lengths, padded, split))
  lengths = 1 + np.arange(count) % padded
  batch = jax.device_get(draw(jax.random.split(jax.random.key(1), count), lengths))
  episodes = [jax.tree.map(lambda leaf, i=i: leaf[i], batch) for i in range(count)]
  for episode in episodes:
    stream.assert_nothing_in_padding(episode)
  return [(int(episode.length), stream.steps(task, episode)) for episode in episodes]


def assert_half(answers):
  assert abs(np.mean(answers) - .5) < 5 * .5 / np.sqrt(len(answers))


@NEEDED
def test_the_parts_have_no_picture_in_common_and_all_digits():
  training, held_out = map(pictures.pool, SPLITS)
  assert len(training.pictures) + len(held_out.pictures) == 1797
  assert not {*map(bytes, training.pictures)} & {*map(bytes, held_out.pictures)}
  for pool in (training, held_out):
    np.testing.assert_array_equal(np.bincount(pool.digits), pool.counts)
    assert pool.counts.min() >= 30
    assert pool.pictures.min() >= 0 and pool.pictures.max() == 1


@NEEDED
@pytest.mark.parametrize('split', SPLITS)
def test_change_is_that_of_the_digit(split):
  answers, same_picture = [], 0
  for length, steps in drawn('picture_change', split):
    first, second = steps[1:1 + length], steps[2 + length:]
    assert len(second) == length
    for (_, before, _), (_, after, (changed,)) in zip(first, second):
      assert changed == (digit_of(before, split) != digit_of(after, split))
      same_picture += before == after
      answers.append(changed)
  assert_half(answers)
  assert same_picture < .1 * len(answers)


@NEEDED
@pytest.mark.parametrize('split', SPLITS)
def test_match_is_that_of_the_sample(split):
  answers = []
  for length, steps in drawn('picture_match', split):
    _, sample, *between, marker, probe = steps
    assert len(between) == length - 1 and marker[0] == (0, 1)
    assert not any(due for *_, due in steps[:-1])
    for _, item, _ in between:
      digit_of(item, split)  # They are of this part, too.
    (match,) = probe[2]
    assert match == (digit_of(sample[1], split) == digit_of(probe[1], split))
    answers.append(match)
  assert_half(answers)


@NEEDED
def test_a_model_learns_through_an_encoder_of_pictures(tmp_path):
  """A few hundred iterations on single pictures: better on held-out ones than by guessing."""
  config = Config(
      model='gru', task=('picture_change',), min_length=1, max_length=1, start_length=1,
      start_min_length=1, hold=0, grow=0, memory=8, validation_length=1, validation_memory=8,
      validation_sequences=1024, validate_every=300, max_iterations=300)
  state = maes_jax.train(config, tmp_path / 'run')
  assert {leaf.shape for leaf in jax.tree.leaves(state.params['embed'])} == {
      (1, 64, 32), (1, 32, 8)}
  *_, last = metrics.read(tmp_path / 'run' / 'metrics.jsonl')
  assert last['bit_accuracy/picture_change'] > .6  # By guessing at most .58.


def test_given_pictures_can_be_asked_about():
  task, given = tasks.get('picture_change'), np.ones((3, 64), np.float32)
  stored, asked = task.about(given, 3, given, 3)
  assert (task.shows, stored.steps, asked.steps) == (True, 4, 4)
  np.testing.assert_array_equal(asked.inputs[1:, 2:], given)
  np.testing.assert_array_equal(asked.mask, [False, True, True, True])
  with pytest.raises(errors.UserError, match='asks about no others'):
    tasks.get('picture_match').about(given, 3, given, 3)


@NEEDED
def test_an_encoder_of_words_is_refused(tmp_path):
  with pytest.raises(errors.UserError, match=r'reading 10 numbers, not .* through an embedding'):
    maes_jax.train(Config(task=('picture_match',), encoder='E_J'), tmp_path / 'run')


def test_without_scikit_learn_one_line_says_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, 'sklearn', None)
  monkeypatch.setattr(pictures, 'pool', pictures.pool.__wrapped__)
  with pytest.raises(extras.MissingPackage, match='pip install scikit-learn') as error:
    tasks.sample(tasks.get('picture_match'), jax.random.key(0), 2, 3)
  assert '\n' not in str(error.value)


def test_names_are_the_users():
  task = pictures.picture_match('mine', size=4)
  assert (task.name, task.items.embedding.size) == ('mine', 4)
  assert dataclasses.replace(task, name='other').items == task.items
