"""Every task against its definition in plain Python, and the odds it promises."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import items as items_lib
from maes_jax import phases
from maes_jax import tasks
from maes_jax.tasks import ngrams
from maes_jax.tasks import pictures
from maes_jax.tasks import recall
from maes_jax.tasks import relation
from maes_jax.tasks import sorting
from maes_jax.tasks import streams
from maes_jax.tasks import strings
from tests import two_phases
from tests.oracles import suite
from tests.oracles import tasks as oracle
from tests.two_phases import aux
from tests.two_phases import main

PADDED = 7  # Longer than every length below, so that all but the last have padding.
COUNT = 1024
OUTPUTS = {  # Y by task: a row for each task there is.
    'serial_recall': 8,
    'reverse_recall': 8,
    'odd_recall': 8,
    'sequence_comparison': 1,
    'sequence_equality': 1,
    'hard_equality': 1,
    'prefix_equality': 1,
}
EQUALITIES = ['sequence_equality', 'hard_equality', 'prefix_equality']


@functools.cache
def episodes(name, seed=0):
  """1,024 episodes of lengths 1 ... 7 in turn, all from one compiled program."""
  keys = jax.random.split(jax.random.key(seed), COUNT)
  lengths = 1 + jnp.arange(COUNT) % PADDED
  return jax.device_get(draw(name)(keys, lengths))


@functools.cache
def draw(name):
  return jax.jit(jax.vmap(lambda key, n: tasks.sample(tasks.get(name), key, n, PADDED)))


def each(name, count=COUNT):
  """Episodes one by one with the words of main and aux."""
  batch = episodes(name)
  for i in range(count):
    one = jax.tree.map(lambda leaf: leaf[i], batch)  # noqa: B023
    yield one, oracle.words(main(one), one.length), oracle.words(aux(one), one.length)


def floats(batch):
  """Inputs of both phases, and targets."""
  return main(batch), aux(batch), batch.targets


def test_every_task_is_in_the_table():
  assert set(OUTPUTS) == set(two_phases.TASKS)
  others = {task.name for module in (streams, sorting, ngrams, strings, pictures)
            for task in module.TASKS}
  assert {*OUTPUTS, *suite.TASKS} | others == set(tasks.TASKS)


@pytest.mark.parametrize('name', OUTPUTS)
class TestEveryTask:

  def test_targets_are_the_definition(self, name):
    for episode, stored, asked in each(name, 256):
      answers = oracle.answers(name, stored, asked)
      counted = [answer is not None for answer in answers]
      np.testing.assert_array_equal(episode.mask[1:1 + episode.length], counted)
      for target, answer in zip(episode.targets[1:], answers):
        if answer is not None:
          np.testing.assert_array_equal(target, answer)

  def test_shapes(self, name):
    batch = episodes(name)
    assert main(batch).shape == aux(batch).shape == (COUNT, PADDED + 1, 2 + 8)
    assert batch.targets.shape == (COUNT, PADDED + 1, OUTPUTS[name])
    assert tasks.get(name).outputs == OUTPUTS[name]
    assert {leaf.dtype for leaf in floats(batch)} == {np.dtype('float32')}
    assert batch.mask.dtype == bool
    np.testing.assert_array_equal(batch.length, 1 + np.arange(COUNT) % PADDED)

  def test_markers_come_first_and_carry_no_data(self, name):
    """Store is control bit 0 on main, recall is control bit 1 on aux, and nowhere else."""
    batch = episodes(name)
    for sequence, marker in ((main(batch), [1, 0]), (aux(batch), [0, 1])):
      np.testing.assert_array_equal(sequence[:, 0, :2], np.tile(marker, (COUNT, 1)))
      assert not sequence[:, 0, 2:].any()
      assert not sequence[:, 1:, :2].any()

  def test_inputs_and_targets_are_bits(self, name):
    for sequence in floats(episodes(name)):
      assert set(np.unique(sequence)) <= {0., 1.}

  def test_nothing_lies_in_the_padding(self, name):
    batch = episodes(name)
    padding = np.arange(PADDED + 1) > batch.length[:, None]
    assert padding.any()
    assert not main(batch)[padding].any()
    assert not aux(batch)[padding].any()
    assert not batch.mask[padding].any()

  def test_marker_asks_for_no_answer(self, name):
    assert not episodes(name).mask[:, 0].any()

  def test_same_key_same_main_sequence_in_all_tasks(self, name):
    np.testing.assert_array_equal(main(episodes(name)), main(episodes('serial_recall')))

  def test_other_keys_give_other_sequences(self, name):
    """512-fold doubles of 7 x 8 bits have a chance of 2^-40."""
    longest = main(episodes(name))[episodes(name).length == PADDED]
    assert len(np.unique(longest, axis=0)) == len(longest)

  def test_valid_covers_marker_and_items(self, name):
    _, _, one, *_ = (episode for episode, _, _ in each(name, 3))
    for phase in one.program:
      np.testing.assert_array_equal(phase.valid, [True] * 4 + [False] * 4)


@pytest.mark.parametrize('name', ['serial_recall', 'reverse_recall', 'odd_recall'])
def test_recall_has_only_dummies_after_the_marker(name):
  assert not aux(episodes(name))[:, 1:].any()


@pytest.mark.parametrize('name, counted', [
    ('serial_recall', [1, 2, 3, 4, 5, 6, 7]),
    ('reverse_recall', [1, 2, 3, 4, 5, 6, 7]),
    ('odd_recall', [1, 1, 2, 2, 3, 3, 4]),
    ('sequence_comparison', [1, 2, 3, 4, 5, 6, 7]),
    ('sequence_equality', [1] * 7),
    ('hard_equality', [1] * 7),
    ('prefix_equality', [1, 2, 3, 4, 5, 6, 7]),
])
def test_answers_counted_at_lengths_1_to_7(name, counted):
  np.testing.assert_array_equal(episodes(name).mask[:7].sum(axis=1), counted)


def assert_share(hits, share):
  """The hits of fair draws lie within five standard deviations of their share."""
  hits = np.asarray(hits)
  assert abs(hits.mean() - share) < 5 * np.sqrt(share * (1 - share) / hits.size)


class TestOdds:

  def test_bits_are_fair_and_independent(self):
    batch = episodes('serial_recall')
    bits = main(batch)[batch.length == PADDED][:, 1:, 2:]
    for bit in range(8):
      assert_share(bits[..., bit], 1 / 2)
    assert_share(bits[..., 1:] == bits[..., :-1], 1 / 2)
    assert_share(bits[:, 1:] == bits[:, :-1], 1 / 2)

  def test_comparison_keeps_half_and_changes_the_rest(self):
    """A changed word is any of 255 others: each bit differs with probability 128 / 255."""
    kept, flips = [], []
    for episode, stored, asked in each('sequence_comparison'):
      for word, other, target in zip(stored, asked, episode.targets[1:, 0]):
        kept.append(target)
        assert (word == other) == bool(target)
        if word != other:
          flips.append(np.not_equal(word, other))
    assert_share(kept, 1 / 2)
    assert_share(flips, 128 / 255)

  @pytest.mark.parametrize('width', [2, 30, 31, 32, 70])
  def test_other_words_of_any_width_differ(self, width):
    words = items_lib.Bits(width).draw(jax.random.key(1), COUNT)
    others = relation.other_words(jax.random.key(0), words)
    flips = words != others
    assert flips.any(1).all() and set(np.unique(others)) <= {0, 1}
    assert_share(flips, .5 / (1 - 2.**-width))

  def test_bits_of_which_none_is_on_are_all_on(self):
    assert set(map(tuple, np.asarray(relation._of_bits(jax.random.key(0), COUNT, 2), int))) == {
        (0, 1), (1, 0), (1, 1)}

  @pytest.mark.parametrize('width', [31, 64])
  @pytest.mark.parametrize('task', relation.TASKS, ids=lambda task: task.name)
  def test_wide_words_can_be_compared(self, task, width):
    wide = dataclasses.replace(task, items=items_lib.Bits(width))
    assert tasks.dry_run(wide, PADDED).program[0].inputs.shape == (PADDED + 1, 2 + width)

  @pytest.mark.parametrize('name', EQUALITIES)
  def test_half_are_equal_at_every_length(self, name):
    batch = episodes(name)
    for length in range(1, PADDED + 1):
      here = batch.length == length
      assert_share(batch.targets[here][:, length, 0], 1 / 2)

  def test_different_sequences_differ_at_every_length(self):
    """A fresh word is the old one with probability 1/256: length 1 must not slip through."""
    for seed in range(3):  # 3 x 73 different pairs of length 1
      batch = episodes('sequence_equality', seed)
      same = (main(batch)[:, 1:] == aux(batch)[:, 1:]).all(axis=(1, 2))
      equal = batch.targets[np.arange(COUNT), batch.length, 0] == 1
      np.testing.assert_array_equal(same, equal)

  def test_a_fresh_sequence_that_comes_out_equal_is_drawn_again(self, monkeypatch):
    """Forces the one case in 256: the fresh words are the same as the old ones."""
    items = jnp.ones((2, 8))
    monkeypatch.setattr(items_lib.Bits, 'draw', lambda self, key, count: jnp.ones((count, 8)))
    ask = tasks.get('sequence_equality').ask
    for seed in range(8):
      question = ask(jax.random.key(seed), items, 1)
      same = bool((question.aux[0] == items[0]).all())
      assert same == bool(question.targets[0, 0])

  def test_different_sequences_are_fresh_throughout(self):
    """Half of the bits differ, not only one item."""
    differing = [np.not_equal(stored, asked) for _, stored, asked in each('sequence_equality')
                 if stored != asked and len(stored) == PADDED]
    assert_share(differing, 1 / 2)

  def test_hard_equality_differs_in_one_bit_anywhere(self):
    where = []
    for _, stored, asked in each('hard_equality'):
      differing = np.argwhere(np.not_equal(stored, asked))
      assert len(differing) == (stored != asked)
      if len(stored) == PADDED:
        where.extend(differing.tolist())
    items, bits = np.transpose(where)
    assert set(items) == set(range(PADDED))
    assert set(bits) == set(range(8))

  def test_prefix_equality_differs_in_one_item_anywhere_half_the_time_in_one_bit(self):
    where, flips = [], []
    for _, stored, asked in each('prefix_equality'):
      differing = np.not_equal(stored, asked)
      assert differing.any(axis=1).sum() == (stored != asked)
      if stored != asked:
        flips.append(differing.sum())
      if len(stored) == PADDED:
        where.extend(np.argwhere(differing.any(axis=1)).ravel().tolist())
    assert set(where) == set(range(PADDED))
    assert_share(np.array(flips) == 1, 1 / 2 + 1 / 2 * 8 / 255)
    assert set(range(1, 8)) <= set(flips)


@pytest.mark.parametrize('name', OUTPUTS)
def test_an_encoder_stores_and_a_solver_starts_afresh_but_in_reverse_recall(name):
  """There it starts where the encoder ended (section 4.3)."""
  store, recall = tasks.dry_run(tasks.get(name), PADDED).program
  assert (store.cell, store.shared, store.asked) == (phases.ENCODER, True, False)
  assert (recall.cell, recall.shared, recall.asked) == (phases.SOLVER, False, True)
  assert recall.start == (phases.HANDOVER if name == 'reverse_recall' else phases.RESTART)


def test_one_program_serves_every_length():
  one = jax.jit(lambda key, n: tasks.sample(tasks.get('odd_recall'), key, n, PADDED))
  for length in range(1, PADDED + 1):
    one(jax.random.key(0), length)
  assert one._cache_size() == 1


class TestRegistry:

  def test_unknown_task_names_the_closest_and_all(self):
    with pytest.raises(errors.UserError, match=r"'serial_recal'.*odd_recall.*'serial_recall'\?"):
      tasks.get('serial_recal')

  def test_names_are_taken_once(self):
    with pytest.raises(errors.UserError, match="'odd_recall' is registered already"):
      tasks.register(tasks.get('odd_recall'))

  def test_own_task_is_known_by_its_name(self, monkeypatch):
    monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
    own = tasks.Task('count_ones', 1, tasks.get('serial_recall').ask)
    assert tasks.register(own) is own
    assert tasks.get('count_ones') is own


@pytest.mark.parametrize('name, shows', [
    ('serial_recall', False), ('sequence_comparison', True), ('hard_equality', True)])
def test_whether_a_solver_is_shown_items_is_known_while_jax_traces(name, shows):
  task = dataclasses.replace(tasks.get(name))  # Not yet asked.
  assert jax.jit(lambda x: x + task.shows)(1) == 1 + shows
  episode = tasks.sample(task, jax.random.key(5), 6, 6)
  assert aux(episode)[1:].any() == shows  # Behind the marker.


@pytest.mark.parametrize('kind', sorted({str(task.items) for task in tasks.TASKS.values()}))
def test_phases_that_tasks_share_are_the_same_in_all_of_them(kind):
  """Models store them once, for whichever task comes first; one of a user's own is among them."""
  ours = [task for task in tasks.TASKS.values() if str(task.items) == kind]
  plain = tasks.Task('plain', ours[0].items.width, recall.serial, items=ours[0].items)
  key, length = jax.random.key(3), max(task.shortest for task in ours)
  shared = {}
  for task in (plain, *ours):
    first = tasks.sample(task, key, length, length + 3).program[0]
    if isinstance(first, tasks.Phase) and first.shared:
      wanted = shared.setdefault(task.control_bits * task.sequences, first)
      jax.tree.map(np.testing.assert_array_equal, first, wanted)
