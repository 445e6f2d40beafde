"""The working-memory suite against its definition in plain Python, and what it lets one choose."""

import collections
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import phases
from maes_jax import tasks
from maes_jax.tasks import dual
from maes_jax.tasks import manipulation
from tests.oracles import suite
from tests.tasks import stream

DUAL = [task.name for task in dual.TASKS]
# Sizes that are not the default: the task, and what of the definition they change.
OTHER_SIZES = {
    'skip by 3': (manipulation.skip_recall(step=3), lambda x, _: x[0][0::3]),
    'rotation by 3 bits': (manipulation.spatial_rotation(by=3),
                           lambda x, _: [tuple(suite.rotated(list(w), 3)) for w in x[0]]),
    'rotation of bits to the left': (manipulation.spatial_rotation(by=-1),
                                     lambda x, _: [w[1:] + w[:1] for w in x[0]]),
    'rotation by 2 words': (manipulation.temporal_rotation(by=2),
                            lambda x, _: suite.rotated(x[0], 2)),
    'rotation by a quarter': (manipulation.temporal_rotation(by=.25),
                              lambda x, _: suite.rotated(x[0], round(len(x[0]) / 4))),
}


def test_all_are_in_the_table():
  assert set(suite.TASKS) == {task.name for task in (*manipulation.TASKS, *dual.TASKS)}
  assert set(suite.TASKS) <= set(tasks.TASKS)


@pytest.mark.parametrize('name', suite.TASKS)
class TestEveryTask:

  def test_answers_are_the_definition(self, name):
    task = tasks.get(name)
    for episode in stream.episodes(task):
      suite.check(name, stream.steps(task, episode))

  def test_nothing_lies_in_the_padding(self, name):
    for episode in stream.episodes(tasks.get(name))[:32]:
      stream.assert_nothing_in_padding(episode)

  def test_length_counts_the_words_of_x(self, name):
    task = tasks.get(name)
    for episode in stream.episodes(task)[:32]:
      found = suite.groups(stream.steps(task, episode), '#$%&')
      assert sum(len(group.words) for group in found if group.marker == '#') == episode.length

  def test_same_key_same_main_sequence_as_serial_recall(self, name):
    def words(task):
      return [[group.words for group in suite.groups(stream.steps(task, episode), '#$%&')
               if group.marker == '#'] for episode in stream.episodes(task)[:16]]
    flat = lambda found: [list(itertools.chain(*one)) for one in found]
    assert flat(words(tasks.get(name))) == flat(words(tasks.get('serial_recall')))

  def test_one_program_serves_every_length(self, name):
    draw = jax.jit(lambda key, n: tasks.sample(tasks.get(name), key, n, 7))
    for length in range(1, 8):
      draw(jax.random.key(0), length)
    assert draw._cache_size() == 1


@pytest.mark.parametrize('sizes', OTHER_SIZES)
def test_other_sizes(monkeypatch, sizes):
  task, wanted = OTHER_SIZES[sizes]
  monkeypatch.setitem(suite.TASKS, task.name, ('#[$]', None, wanted))
  for episode in stream.episodes(task)[:64]:
    suite.check(task.name, stream.steps(task, episode))


@pytest.mark.parametrize('task, most', [
    (manipulation.repeat_serial(most=2), 2), (tasks.get('repeat_serial'), 5)], ids=['2', '5'])
def test_copies_are_1_to_so_many_each_as_likely(task, most):
  found = collections.Counter(
      int(episode.mask.sum() / episode.length) for episode in stream.episodes(task))
  assert set(found) == set(range(1, most + 1))
  share = 1 / most
  assert all(abs(n / 256 - share) < 5 * np.sqrt(share * (1 - share) / 256) for n in found.values())


def test_half_are_symmetric():
  episodes = stream.episodes(tasks.get('sequence_symmetry'))
  symmetric = np.mean([episode.targets[episode.length, 0] for episode in episodes])
  assert abs(symmetric - .5) < 5 * .5 / np.sqrt(256)


def sizes(cuts, length, keys=600, padded=9):
  """How often a sequence is cut into sub-sequences of these sizes."""
  def draw(key):
    count_key, key = jax.random.split(key)
    return cuts.sizes(key, jnp.int32(length), cuts.count(count_key, jnp.int32(length)), padded)
  found = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), keys))
  return collections.Counter(tuple(int(n) for n in one if n) for one in np.asarray(found))


def test_a_step_beyond_all_items_asks_for_the_first():
  task = manipulation.skip_recall(step=2**30)
  episode = tasks.sample(task, jax.random.key(0), 5, 5)
  assert episode.mask.sum() == 1 and episode.mask[1]
  np.testing.assert_array_equal(episode.targets[1], episode.program[0].inputs[1, 2:])


class TestCuts:

  def test_no_piece_has_room_for_more_than_there_is(self):
    assert dual.Cuts(2, items=2**30).longest(5) == 5

  def test_all_ways_to_cut_are_as_likely(self):
    """One to three of them, then each way: 1, 3 and 3 ways to cut 4 words."""
    found = sizes(dual.Cuts(3), 4)
    one, two, three = [(4,)], [(1, 3), (2, 2), (3, 1)], [(1, 1, 2), (1, 2, 1), (2, 1, 1)]
    assert set(found) == {*one, *two, *three}
    for ways in (one, two, three):
      for way in ways:
        share = 1 / 3 / len(ways)
        assert abs(found[way] / 600 - share) < 5 * np.sqrt(share * (1 - share) / 600)

  def test_not_more_sub_sequences_than_words(self):
    assert set(sizes(dual.Cuts(5), 2)) == {(2,), (1, 1)}
    assert set(sizes(dual.Cuts(20), 1)) == {(1,)}

  @pytest.mark.parametrize('length, wanted', [(6, (2, 2, 2)), (5, (2, 2, 1)), (1, (1,)),
                                              (9, (2, 2, 5))])
  def test_sub_sequences_of_a_size(self, length, wanted):
    """The last has the rest."""
    assert set(sizes(dual.Cuts(3, items=2), length)) == {wanted}

  def test_sub_sequences_are_padded_to_the_longest_there_can_be(self):
    assert [dual.Cuts(20, 50).longest(size) for size in (60, 1000, 1001)] == [50, 50, 1001]
    assert dual.Cuts(20).longest(60) == 60

  @pytest.mark.parametrize('name', DUAL)
  def test_tasks_of_other_sizes_are_the_definition(self, name):
    task = getattr(dual, name)(cuts=dual.Cuts(4, items=2))
    for episode in stream.episodes(task, 32):
      suite.check(name, stream.steps(task, episode))


class TestDuty:
  """Who reads what, and where it begins."""

  @pytest.mark.parametrize('name', ['ignore', 'carry', 'forget', 'interruption_reverse'])
  def test_the_encoder_reads_one_marker_and_all_words(self, name):
    """As in Serial Recall, with nothing between: so an encoder of that serves."""
    for episode in stream.episodes(tasks.get(name))[:32]:
      read = [phase.inputs[t] for phase in phases.in_time(episode.program)
              for t in range(int(phase.steps)) if phase.cell == phases.ENCODER]
      assert len(read) == 1 + episode.length
      assert read[0][0] == 1 and not np.array(read)[1:, :4].any()

  def test_cells_and_starts(self):
    found = lambda name: {(phase.cell, phase.start) for part in tasks.dry_run(
        tasks.get(name), 5).program for phase in phases.of(part)}
    common = {('encoder', 'resume'), ('/y_encoder', 'restart'), ('solver', 'restart')}
    assert found('ignore') == common
    assert found('carry') == found('forget') == common | {('/y_solver', 'restart')}
    assert found('interruption_reverse') == common | {('/y_solver', 'handover')}
    assert found('interruption_swap') == common | {
        ('/y_end', 'handover'), ('/y_halfway', 'restart'), ('/y_solver', 'handover')}
    assert found('scratch_pad') == {('encoder', 'restart'), ('solver', 'restart')}
    assert found('reading_span') == {('encoder', 'resume'), ('solver', 'restart')}
    assert found('repeat_reverse') == {
        ('encoder', 'resume'), ('/bookmark', 'handover'), ('/bookmark', 'resume'),
        ('solver', 'handover')}

  def test_who_begins_in_the_middle_begins_where_a_cell_is_that_was_shown_all_items_again(self):
    store, end, walk, answer = jax.device_get(tasks.sample(
        tasks.get('temporal_rotation'), jax.random.key(0), 5, 7).program)
    assert [(phase.cell, phase.start, int(phase.steps), phase.again, phase.asked)
            for phase in (end, walk, answer)] == [
                ('/end', 'handover', 2, True, False), ('/halfway', 'restart', 6, True, False),
                ('solver', 'handover', 6, False, True)]
    np.testing.assert_array_equal(walk.inputs, store.inputs)
    np.testing.assert_array_equal(end.inputs[0], answer.inputs[0])


@pytest.mark.parametrize('make, words', [
    (lambda: manipulation.repeat_serial(most=0), 'most copies: 0; .* of 1 to 1,073,741,824'),
    (lambda: manipulation.skip_recall(step=1.5), 'step: 1.5; .* whole number'),
    (lambda: manipulation.spatial_rotation(by=1.5), 'rotation of bits: 1.5; .* between -1 and 1'),
    (lambda: manipulation.temporal_rotation(by='x'), "rotation of words: 'x'; .* whole number"),
    (lambda: manipulation.temporal_rotation(by=10**12), 'words: 1000000000000; .* at most 1,073'),
    (lambda: manipulation.skip_recall(step=2**31), 'step: 2147483648; .* of 1 to 1,073'),
    (lambda: dual.operation_span(by=True), 'rotation of bits: True; '),
    (lambda: dual.Cuts(0), 'sub-sequences: 0; '),
    (lambda: dual.Cuts(items=0), 'items of a sub-sequence: 0; '),
    (lambda: dual.carry(cuts=3), r'cuts are 3; give maes_jax\.tasks\.dual\.Cuts'),
    (lambda: dual.carry('a/b'), "the name of a task is 'a/b'; .* without a slash"),
    (lambda: tasks.sample(tasks.get('carry'), jax.random.key(0), 0, 5), 'length is 0; ')])
def test_wrong_sizes_get_one_line(make, words):
  with pytest.raises(errors.UserError, match=words) as error:
    make()
  assert '\n' not in str(error.value)
