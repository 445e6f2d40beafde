"""Priority sort against plain Python, and the odds that it promises."""

import jax
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import tasks
from maes_jax.tasks import sorting
from tests.oracles import streams as oracle
from tests.tasks import stream


@pytest.mark.parametrize('shown, asked', [(20, 16), (3, 1)])
def test_the_highest_priorities_come_first(shown, asked):
  task = sorting.priority_sort(shown=shown, asked=asked)
  ratings = []
  for episode in stream.episodes(task):
    ratings += oracle.priority_sort(stream.steps(task, episode), shown, asked)
    stream.assert_nothing_in_padding(episode)
  assert len(set(ratings)) > .99 * len(ratings)
  assert -1 <= min(ratings) < -.99 and .99 < max(ratings) < 1
  assert abs(np.mean(ratings)) < 5 * np.sqrt(1 / 3 / len(ratings))


def test_sixteen_of_twenty_are_asked_for():
  items = sorting.Rated(9).draw(jax.random.key(0), 20)
  assert tasks.get('priority_sort').ask(None, items, 20).mask.sum() == 16


def test_of_the_same_priority_the_first_shown_goes_first():
  """Seven items, of which the last two are padding: by priority 0 come the second and fourth."""
  ratings = np.array([-.5, 0, -.5, 0, .5, 9, 9])
  words = np.eye(7, 8)
  asked = tasks.get('priority_sort').ask(None, np.float32(np.c_[words, ratings]), 5)
  np.testing.assert_array_equal(asked.targets[:5], words[[4, 1, 3, 0, 2]])


def test_words_are_fair():
  drawn = np.asarray(sorting.Rated(9).draw(jax.random.key(0), 4096))
  assert set(np.unique(drawn[:, :8])) == {0, 1}
  assert np.abs(drawn[:, :8].mean(0) - .5).max() < 5 * .5 / np.sqrt(4096)


@pytest.mark.parametrize('sizes, words', [
    ({'bits': 0}, 'bits of a word: 0; '),
    ({'shown': 3, 'asked': 4}, 'asked for: 4; they must be at most the 3 shown'),
    ({'asked': 0}, 'items asked for: 0; .* of 1 to 1,073,741,824')])
def test_wrong_sizes_get_one_line(sizes, words):
  with pytest.raises(errors.UserError, match=words) as error:
    sorting.priority_sort(**sizes)
  assert '\n' not in str(error.value)
