"""N-back, delayed match, repeat copy and associative recall against their definitions."""

import collections

import jax
import numpy as np
import pytest

import maes_jax
from maes_jax import errors
from maes_jax import models
from maes_jax import phases
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.tasks import streams
from tests.oracles import streams as oracle
from tests.tasks import stream


def of(task):
  """(steps, episode) of some episodes."""
  return [(stream.steps(task, episode), episode) for episode in stream.episodes(task)]


def assert_half(hits):
  hits = np.asarray(hits)
  assert abs(hits.mean() - .5) < 5 * .5 / np.sqrt(hits.size)


@pytest.mark.parametrize('lag', [1, 2, 3, 6])
def test_n_back(lag):
  """Half of the words are those from before; a fresh word is in 1 of 256."""
  task, found = streams.n_back(lag=lag), []
  for steps, episode in of(task):
    oracle.n_back(steps, lag)
    found.extend(episode.targets[episode.mask, 0])
    assert episode.mask.sum() == episode.length - lag
  assert_half(found)


def test_n_back_shows_each_word_to_both_and_to_one_cell_once():
  task = tasks.get('n_back')
  (episode,) = stream.episodes(task, 1, 4)
  read = collections.defaultdict(list)
  for phase in phases.in_time(episode.program):
    read[phase.cell].extend(map(tuple, phase.inputs[:int(phase.steps), 2:]))
  assert read['encoder'][-1] == read['solver'][-1]
  assert len(read['encoder']) == 1 + episode.length and len(read['solver']) == 1 + 1
  assert len(stream.steps(task, episode)) == 2 + episode.length
  inputs, steps, _ = jax.device_get(phases.stream(episode.program))
  np.testing.assert_array_equal(
      inputs[:steps], [(*control, *item) for control, item, _ in stream.steps(task, episode)])


@pytest.mark.parametrize('model, steps', [('maes', 10), ('ntm', 7)])
def test_a_recording_shows_what_was_read(model, steps):
  """Two markers and five words, of which three are read twice where cells take turns."""
  built = models.build(Config(model=model, task=('n_back',)))
  recording = maes_jax.record(built, built.init(jax.random.key(0)), tasks.get('n_back'), 5, 8)
  assert len(recording.inputs) == steps
  assert recording.asked.sum() == 3


def test_delayed_match():
  found = []
  for steps, episode in of(tasks.get('delayed_match')):
    oracle.delayed_match(steps)
    assert len(steps) == episode.length + 3
    found.append(episode.targets[episode.mask][0, 0])
  assert_half(found)


def test_repeat_copy():
  counts = [oracle.repeat_copy(steps, 10) for steps, _ in of(tasks.get('repeat_copy'))]
  assert set(counts) == set(range(1, 11))


@pytest.mark.parametrize('words, bits', [(3, 6), (1, 8)])
def test_associative_recall(words, bits):
  """Any item but the last is asked for."""
  task = streams.associative_recall(words=words, bits=bits)
  asked = [(oracle.associative_recall(steps, words), int(episode.length))
           for steps, episode in of(task)]
  assert {i for i, n in asked if n == 4} == {0, 1, 2}
  assert {n for _, n in asked} == set(range(2, 8))


def test_of_items_that_are_the_same_the_first_is_asked_for():
  """Of one bit there are two items: whichever is asked for, the answer is known."""
  task, twice = streams.associative_recall(words=1, bits=1), 0
  for steps, episode in of(task):
    first = oracle.associative_recall(steps, 1)
    stored = [steps[2 * i + 1][1] for i in range(int(episode.length))]
    assert steps[-3][1] == stored[first] and stored[first] not in stored[:first]
    twice += stored[:-1].count(stored[first]) > 1
  assert twice > 100


@pytest.mark.parametrize('name', [task.name for task in streams.TASKS])
class TestEveryTask:

  def test_nothing_lies_in_the_padding(self, name):
    for episode in stream.episodes(tasks.get(name))[:32]:
      stream.assert_nothing_in_padding(episode)

  def test_one_program_serves_every_length(self, name):
    draw = jax.jit(lambda key, n: tasks.sample(tasks.get(name), key, n, 7))
    for length in range(tasks.get(name).shortest, 8):
      draw(jax.random.key(0), length)
    assert draw._cache_size() == 1


@pytest.mark.parametrize('make, words', [
    (lambda: streams.n_back(lag=0), 'lag: 0; .* of 1 to 1,073,741,824'),
    (lambda: streams.repeat_copy(most=256), 'most copies: 256; it must be at most 255'),
    (lambda: streams.associative_recall(words=0), 'words of an item: 0; '),
    (lambda: streams.associative_recall(bits=0), 'bits of a word: 0; '),
    (lambda: tasks.sample(tasks.get('n_back'), jax.random.key(0), 2, 5),
     "length is 2 and task 'n_back' needs 3 items or more; use a length of at least 3"),
    (lambda: maes_jax.Tester(models.build(Config(task=('n_back',))), tasks.get('n_back'), 2, 8),
     'length is 2 and'),
    (lambda: maes_jax.Tester(models.build(Config(task=('n_back',))), tasks.get('n_back'), 5, 8)
     .test({}, 2), 'length is 2 and'),
    (lambda: models.check(maes_jax.families.resolve(
        Config(task=('n_back',), min_length=2, start_min_length=2))),
     "'n_back' needs 3 items or more and start_min_length is 2; use start_min_length of at")])
def test_wrong_sizes_get_one_line(make, words):
  with pytest.raises(errors.UserError, match=words) as error:
    make()
  assert '\n' not in str(error.value)
