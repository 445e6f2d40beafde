"""Tasks from a user's own arrays: what is drawn, from which part, and what is refused."""

import collections
import copy
import functools
import itertools
import json
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import devices
from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import items
from maes_jax import models
from maes_jax import phases
from maes_jax import families
from maes_jax import tasks
from maes_jax import trained
from maes_jax.config import Config
from maes_jax.tasks import data
from maes_jax.training import metrics
from maes_jax.training import run
from maes_jax.training import workdir
from maes_jax.training.trainer import Trainer
from tests.training import tiny

LENGTHS = [3, 1, 4, 2, 6, 5, 2, 4]
HELD_OUT = [1, 4]  # Of 1 and 6 items.
DRAWS = 400
VECTORS = items.Vectors(2)
PARAMS = {'encoder': {}, 'solvers': {'mine': {}}}


def sequences():
  """Example i holds i in all its items, and its place in the sequence."""
  return [np.stack([np.full(n, i), np.arange(n)], 1) for i, n in enumerate(LENGTHS)]


def answers(steps):
  """[m, 3] bits that spell out the example's number."""
  return [np.tile([i >> 2 & 1, i >> 1 & 1, i & 1], (m, 1)) for i, m in enumerate(steps)]


def made(**options):
  return data.from_arrays('mine', **{
      'sequences': sequences(), 'targets': answers(LENGTHS), 'items': VECTORS,
      'validation': HELD_OUT, **options})


def drawn(task, length, max_length, split, count=DRAWS):
  draw = jax.jit(lambda keys: tasks.sample_batch(
      task, keys, jnp.full(count, length), max_length, split))
  return jax.device_get(draw(jax.random.split(jax.random.key(0), count)))


def numbers(episodes):
  """Which example each episode is, told from its first item."""
  return episodes.program[0].inputs[:, 1, 2].astype(int)


class TestWhatIsDrawn:

  def test_items_and_answers_stand_where_they_should(self):
    episodes = drawn(made(), 6, 6, tasks.TRAINING)
    store, recall = episodes.program
    assert (store.cell, recall.cell, recall.start) == ('encoder', 'solver', phases.RESTART)
    for e, i in enumerate(numbers(episodes)):
      n = LENGTHS[i]
      assert episodes.length[e] == n and store.steps[e] == recall.steps[e] == 1 + n
      wanted = np.zeros((7, 4))
      wanted[0, 0], wanted[1:n + 1, 2:] = 1, sequences()[i]
      np.testing.assert_array_equal(store.inputs[e], wanted)
      np.testing.assert_array_equal(recall.inputs[e], np.eye(7, 4, 1)[[0, 6, 6, 6, 6, 6, 6]] * 1.)
      np.testing.assert_array_equal(recall.mask[e], (np.arange(7) > 0) & (np.arange(7) <= n))
      np.testing.assert_array_equal(recall.targets[e, 1:n + 1], answers(LENGTHS)[i])

  def test_an_auxiliary_sequence_of_another_length(self):
    steps = [2, 3, 1, 9, 4, 2, 5, 1]
    aux = [np.full((m, 2), 10 + i) for i, m in enumerate(steps)]
    task = made(aux=aux, targets=answers(steps), start=phases.HANDOVER)
    for split, count in ((tasks.TRAINING, 6), (tasks.HELD_OUT, 2)):
      episodes = drawn(task, 6, 6, split)
      assert len(set(numbers(episodes))) == count
      for e, i in enumerate(numbers(episodes)):
        _, recall = jax.tree.map(lambda leaf: leaf[e], episodes.program)  # noqa: B023
        m = steps[i]
        assert recall.start == phases.HANDOVER and recall.steps == 1 + m
        np.testing.assert_array_equal(recall.inputs[1:m + 1, 2:], aux[i])
        assert not recall.inputs[m + 1:].any()
        np.testing.assert_array_equal(np.flatnonzero(recall.mask), 1 + np.arange(m))
        np.testing.assert_array_equal(recall.targets[1:m + 1], answers(steps)[i])

  @pytest.mark.parametrize('aux', [False, True])
  def test_one_answer_a_sequence_counts_at_the_last_step(self, aux):
    steps = [2, 3, 1, 9, 4, 2, 5, 1] if aux else LENGTHS
    shown = {'aux': [np.full((m, 2), 10) for m in steps]} if aux else {}
    labels = np.array([[i >> 1 & 1, i & 1] for i in range(len(LENGTHS))])
    episodes = drawn(made(targets=labels, **shown), 6, 6, tasks.TRAINING)
    for e, i in enumerate(numbers(episodes)):
      assert np.flatnonzero(episodes.mask[e]).tolist() == [steps[i]]
      np.testing.assert_array_equal(episodes.targets[e, steps[i]], labels[i])

  def test_answers_of_another_number_than_items_without_an_auxiliary_sequence(self):
    steps = [2, 3, 1, 9, 4, 2, 5, 1]
    episodes = drawn(made(targets=answers(steps)), 6, 6, tasks.TRAINING)
    found = episodes.mask.sum(1)
    np.testing.assert_array_equal(found, np.array(steps)[numbers(episodes)])
    assert not episodes.program[1].inputs[..., 2:].any()

  def test_tokens_are_whole_numbers(self):
    words, classes = [[0, 1], [2, 3, 3], [4]], [0, 2, 1]
    task = data.from_arrays('mine', words, classes, items=items.Tokens(5, embedded=3),
                            answers=items.Tokens(3), validation=[0])
    assert (task.items.width, task.outputs) == (5, 3)
    episodes = drawn(task, 3, 3, tasks.TRAINING)
    for e, n in enumerate(episodes.length):
      word, label = {3: ([2, 3, 3], 2), 1: ([4], 1)}[int(n)]
      np.testing.assert_array_equal(episodes.program[0].inputs[e, 1:n + 1, 2:], np.eye(5)[word])
      np.testing.assert_array_equal(episodes.targets[e, n], np.eye(3)[label])

  def test_padded_arrays_are_the_same_task(self):
    pad = lambda arrays: np.stack([
        np.pad(a, ((0, 9 - len(a)), (0, 0)), constant_values=np.nan) for a in
        (np.asarray(a, float) for a in arrays)])
    padded = made(sequences=pad(sequences()), targets=pad(answers(LENGTHS)), lengths=LENGTHS)
    assert padded == made() != made(validation=[0])
    jax.tree.map(np.testing.assert_array_equal, padded.parts, made().parts)

  def test_it_goes_to_another_process(self):
    again = pickle.loads(pickle.dumps(made()))
    assert again == made()
    jax.tree.map(np.testing.assert_array_equal, drawn(again, 6, 6, tasks.TRAINING),
                 drawn(made(), 6, 6, tasks.TRAINING))


class TestWhichPart:

  def test_every_example_of_a_part_is_as_likely_and_none_of_the_other_comes(self):
    training = collections.Counter(numbers(drawn(made(), 6, 6, tasks.TRAINING, 6000)))
    assert set(training) == set(range(8)) - set(HELD_OUT)
    assert all(850 < count < 1150 for count in training.values())  # 1000, 5 standard deviations.
    assert set(numbers(drawn(made(), 6, 6, tasks.HELD_OUT))) == set(HELD_OUT)

  @pytest.mark.parametrize('length, wanted', [(1, {3, 6}), (2, {3, 6}), (3, {0, 3, 6}),
                                              (4, {0, 2, 3, 6, 7})])
  def test_only_examples_that_are_short_enough_or_the_shortest(self, length, wanted):
    assert set(numbers(drawn(made(), length, 6, tasks.TRAINING))) == wanted

  def test_what_is_held_out_is_drawn_unless_training_is_said(self):
    sample = jax.jit(lambda key: tasks.sample(made(), key, 6, 6))
    found = {int(sample(key).length) for key in jax.random.split(jax.random.key(0), 20)}
    assert found == {1, 6}

  @pytest.mark.parametrize('share, count', [(.1, 1), (.25, 2), (.9, 7), (.999, 7)])
  def test_a_share(self, share, count):
    task = made(validation=share)
    assert len(task.parts[tasks.HELD_OUT].sequences.lengths) == count
    assert len(task.parts[tasks.TRAINING].sequences.lengths) == 8 - count
    assert task == made(validation=share)
    assert any(made(validation=share, seed=seed) != task for seed in range(1, 9))

  def test_of_examples_that_are_the_same_all_are_on_one_side(self):
    """500 words of three bits: of the eight that there are one is held out, wherever it stands."""
    words = np.random.default_rng(0).integers(0, 2, (500, 1, 3))
    for seed in range(5):
      task = data.from_arrays('mine', words, words[:, :, :1], seed=seed)
      training, held_out = ({tuple(row) for row in task.parts[split].sequences.rows}
                            for split in (tasks.TRAINING, tasks.HELD_OUT))
      assert (len(training), len(held_out)) == (7, 1) and not training & held_out

  @pytest.mark.parametrize('what', ['targets', 'aux'])
  def test_the_same_sequence_asked_otherwise_is_another_example(self, what):
    same, words = np.ones((8, 1, 1)), np.arange(8).reshape(8, 1, 1)
    one = items.Vectors(1)
    task = data.from_arrays('mine', same, **{'targets': same, 'aux': same, what: words}, items=one,
                            answers=one, validation=.25)
    assert len(task.parts[tasks.HELD_OUT].sequences.lengths) == 2

  def test_the_split_of_examples_that_differ_is_what_it_was(self):
    """A run that began with it goes on; the numbers are NumPy's own draw of examples."""
    for share, count in ((.1, 1), (.5, 4)):
      numbers = np.random.default_rng(3).permutation(8)[:count]
      assert made(validation=share, seed=3) == made(validation=numbers)

  def test_who_names_examples_that_are_on_both_sides_is_told_how_many(self, caplog):
    words = np.array([0., 1, 2, -0., 1, 3]).reshape(6, 1, 1)  # Zero is zero, whatever its sign.
    make = lambda held_out: data.from_arrays(
        'mine', words, np.zeros((6, 1)), items=items.Vectors(1), validation=held_out)
    make([0, 3, 5])
    assert not caplog.messages
    make([0, 1, 2])
    (line,) = caplog.messages
    assert line.startswith("task 'mine': 2 of 3 examples that are held out are examples to train")

  def test_training_takes_every_length_up_to_the_longest_of_the_curriculum(self, monkeypatch):
    """Lengths that are drawn say nothing of examples: those of 1 to 6 items are as likely."""
    register(monkeypatch)
    tasks.register(made())
    config = families.resolve(Config(model='tiny', task=('mine',), max_length=6, memory=8,
                                    batch_size=4096, validation_length=6))
    trainer = Trainer(config, models.build(config))
    keys, ones = jax.random.key(0), jnp.ones(4096, jnp.int32)
    sample = jax.jit(lambda longest: trainer._sample(keys, ones, 6, longest=longest)['mine'])
    found = collections.Counter(numbers(jax.device_get(sample(6))))
    assert set(found) == set(range(8)) - set(HELD_OUT)
    assert all(560 < count < 810 for count in found.values())  # 683, 5 standard deviations.
    assert set(numbers(jax.device_get(sample(2)))) == {3, 6}

  def test_training_sees_its_examples_and_validation_and_tests_the_others(
      self, monkeypatch, tmp_path):
    """Training examples are to be answered 1, the others 0: learnt is the former alone."""
    register(monkeypatch)
    labels = np.ones((8, 1))
    labels[HELD_OUT] = 0
    task = tasks.register(made(targets=labels))
    config = Config(model='tiny', task=('mine',), max_length=6, memory=8, max_iterations=600,
                    validation_length=6, validate_every=600, learning_rate=.05, stop_loss=1e-3,
                    stop_on='training', hold=0, grow=0)
    run.train(config, tmp_path / 'run')
    last = metrics.read(tmp_path / 'run' / 'metrics.jsonl')[-1]
    assert last['loss'] < .01
    assert last['bit_accuracy/mine'] == 0
    model = trained.load(tmp_path / 'run')
    tester = evaluation.Tester(model.model, task, max_length=6, addresses=8, batch_size=16)
    counts = tester.test(model.params, length=6, batches=2)
    assert (counts.bits, counts.bits_right) == (1, 0)


class TestIterators:

  def endless(self):
    for i in itertools.count():
      n = LENGTHS[i % 8]
      yield np.full((n, 2), i), np.full((n, 1), i % 2)

  def test_as_many_as_asked_for_are_read(self):
    source = self.endless()
    task = data.from_iterator('mine', source, count=20, items=VECTORS)
    assert next(source)[0][0, 0] == 20
    assert sum(len(part.sequences.lengths) for part in task.parts.values()) == 20

  def test_it_is_the_task_of_the_same_arrays(self):
    arrays = zip(sequences(), answers(LENGTHS), sequences(), strict=True)
    task = data.from_iterator('mine', arrays, 100, items=VECTORS, validation=HELD_OUT)
    assert task == made(aux=sequences())

  def test_arrays_may_come_from_generators(self):
    lazy = lambda arrays: (array for array in arrays)
    assert made(sequences=lazy(sequences()), targets=lazy(answers(LENGTHS))) == made()

  @pytest.mark.parametrize('kind', [np.asarray, memoryview])
  def test_what_is_read_is_kept_where_the_iterator_uses_its_arrays_again(self, kind):
    """Example i holds i, in the same two arrays as all before it."""
    arrays, reused = [np.full((2, 1), i) for i in range(8)], np.zeros((2, 1), int)

    def reusing():
      for i in range(8):
        reused[:] = i
        yield kind(reused)

    kinds = {'items': items.Vectors(1), 'answers': items.Vectors(1), 'validation': [1, 4]}
    wanted = data.from_arrays('mine', arrays, arrays, aux=arrays, **kinds)
    from_tuples = zip(reusing(), reusing(), reusing(), strict=True)
    assert data.from_iterator('mine', from_tuples, 8, **kinds) == wanted
    assert data.from_arrays('mine', reusing(), reusing(), aux=reusing(), **kinds) == wanted

  def test_a_mask_is_seen_in_what_an_iterator_gives(self):
    masked = np.ma.masked_equal(np.ones((3, 2)), 1)
    for given in (masked, list(masked)):
      with pytest.raises(errors.UserError, match=r'sequences\[0\] has numbers that a mask hides'):
        data.from_iterator('mine', iter([(given, np.ones((3, 1)))] * 2), 2)

  @pytest.mark.parametrize('examples, words', [
      ([], 'sequences are empty'),
      ([np.ones((3, 2))], r'examples of \[0\] parts; give tuples'),
      ([(np.ones((3, 2)), np.ones((3, 1))), (1, 2, 3)], r'examples of \[2, 3\] parts'),
      ([(1,)], r'examples of \[1\] parts')])
  def test_other_examples_are_refused(self, examples, words):
    with pytest.raises(errors.UserError, match=words):
      data.from_iterator('mine', iter(examples), 5)


def register(monkeypatch):
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
  monkeypatch.setitem(families.FAMILIES, 'tiny', families.Family(tiny.Tiny, tied=True))


def but(arrays, i, value):
  return [value if e == i else array for e, array in enumerate(arrays)]


# Arguments, and what the line says after the task's name.
WRONG = {
    'NaN': ({'sequences': but(sequences(), 3, np.array([[1, 2], [np.nan, 0]]))},
            r'sequences\[3\] holds nan at \[1, 0\]; every number must be finite'),
    'masked': ({'sequences': but(sequences(), 3, np.ma.masked_equal(sequences()[3], 1))},
               r'sequences\[3\] has numbers that a mask hides'),
    'masked rows': ({'sequences': but(sequences(), 3, list(np.ma.masked_equal(sequences()[3], 1)))},
                    r'sequences\[3\] has numbers that a mask hides'),
    'masked answer': ({'targets': np.ma.masked_equal(np.arange(8), 5), 'answers': items.Tokens(8)},
                      r'targets\[5\] has numbers that a mask hides'),
    'masked lengths': ({'lengths': np.ma.masked_equal([3] * 8, 3)}, 'lengths has numbers that a'),
    'masked numbers': ({'validation': np.ma.masked_equal([1, 2], 2)}, 'validation is .*must be a'),
    'too large': ({'sequences': but(sequences(), 0, np.full((3, 2), 1e300))},
                  r'sequences\[0\] holds 1e\+300 at \[0, 0\]; .* in single precision'),
    'infinite answer': ({'targets': but(answers(LENGTHS), 2, np.full((4, 3), np.inf)),
                         'answers': items.Vectors(3)}, r'targets\[2\] holds inf'),
    'other width': ({'sequences': but(sequences(), 5, np.ones((5, 3)))},
                    r'sequences\[5\] is \[5, 3\] of float64; .* must be \[n, 2\]'),
    'flat': ({'sequences': but(sequences(), 5, np.ones(5))}, r'sequences\[5\] is \[5\] of float64'),
    'empty example': ({'sequences': but(sequences(), 5, np.ones((0, 2)))},
                      r'sequences\[5\] is \[0, 2\] .*n at least 1'),
    'nothing': ({'sequences': [], 'targets': []}, 'sequences are empty; give at least 2'),
    'no list': ({'sequences': 7}, 'sequences are 7; give a list of arrays'),
    'text': ({'sequences': but(sequences(), 1, 'abc')}, r"sequences\[1\] is 'abc'; .* of numbers"),
    'ragged example': ({'sequences': but(sequences(), 1, [[1, 2], [3]])},
                       r'sequences\[1\] is .*; it must be an array of numbers'),
    'no bits': ({'targets': but(answers(LENGTHS), 0, np.full((3, 3), .5))},
                r'targets\[0\] holds 0.5 at \[0, 0\]; a bit must be 0 or 1; .* items.Vectors'),
    'no words': ({'items': None}, r'sequences\[0\] holds 2 at \[2, 1\]; a bit must be 0 or 1'),
    'token beyond': ({'targets': np.arange(8), 'answers': items.Tokens(7)},
                     r'targets\[7\] holds 7 at \[0\]; a token must be a whole number of 0 to 6'),
    'token no whole number': ({'targets': np.arange(8.), 'answers': items.Tokens(8)},
                              r'targets\[0\] is \[1\] of float64; .* of whole numbers'),
    'fewer answers': ({'targets': answers(LENGTHS)[:5]},
                      'has 8 sequences, 5 targets; give as many of each'),
    'aux of another length': ({'aux': [np.ones((2, 2))] * 8},
                              r'aux\[0\] has 2 items and targets\[0\] 3 answers'),
    'aux of another width': ({'aux': [np.ones((2, 5))] * 8}, r'aux\[0\] is \[2, 5\]'),
    'no share': ({'validation': 1.5}, 'validation is 1.5; it must be a share between 0 and 1, or'),
    'all held out': ({'validation': range(8)}, '8 of 8 examples are held out; leave at least one'),
    'none held out': ({'validation': np.array([], int)}, '0 of 8 examples are held out'),
    'all the same': ({'sequences': np.ones((8, 3, 2)), 'targets': np.ones((8, 1)),
                      'validation': .1},
                     'all 8 examples are the same, in single precision, so that none can be held'),
    'numbers in rows': ({'validation': [[1], [2, 3]]}, r'validation is \[\[1\], \[2, 3\]\]'),
    'no such example': ({'validation': [8]}, r'validation is \[8\]; .* 0 to 7'),
    'length beyond': ({'lengths': [9] * 8}, r'sequences\[0\] is padded to 3 and its length is 9'),
    'a length missing': ({'lengths': [3]}, r'sequences\[1\] .* its length is missing'),
    'a length too many': ({'lengths': [1] * 9}, '8 targets, 9 lengths; give as many of each'),
    'half a length': ({'lengths': [1.5] * 8}, 'lengths are .*; give a whole number for each'),
    'start': ({'start': 'begin'}, "'begin': it must be one of"),
}


@pytest.mark.parametrize('name', WRONG)
def test_what_cannot_be_is_refused_in_a_line(name):
  options, words = WRONG[name]
  with pytest.raises(errors.UserError, match=f"task 'mine'.*({words})") as error:
    made(**options)
  assert '\n' not in str(error.value)


def test_more_than_a_program_can_hold_is_refused(monkeypatch):
  monkeypatch.setattr(data, 'MOST', 100)
  with pytest.raises(errors.UserError, match=r"task 'mine' has arrays of .*; give fewer examples"):
    made()


@pytest.mark.parametrize('options, words', [
    ({'max_length': 4, 'memory': 8}, 'a sequence of 5 items where max_length is 4; use max_length '
                                     'of at least 5 and memory of at least 6'),
    ({'max_length': 5, 'memory': 8}, 'a sequence of 6 items where validation_length is 5; use '
                                     'validation_length of at least 6 and validation_memory of at '
                                     'least 7')])
def test_sequences_longer_than_a_run_takes_are_refused_before_anything_is_written(
    monkeypatch, tmp_path, options, words):
  register(monkeypatch)
  tasks.register(made())
  with pytest.raises(errors.UserError, match=words):
    run.train(Config(model='tiny', task=('mine',), **options), tmp_path / 'run')
  assert not any(tmp_path.iterdir())


def test_a_test_too_short_for_every_example_is_refused():
  task = made(validation=[4])
  with pytest.raises(errors.UserError, match='no sequence of 5 items or fewer; use a length of'):
    tasks.dry_run(task, 5)


def tells_even(model, params, episodes, addresses, unroll):
  """Right in examples of even numbers, wrong in the others."""
  (name, batch), = episodes.items()
  even = batch.program[0].inputs[:, 1, 2] % 2 == 0
  return {name: jnp.where(even[:, None, None], 1, -1) * (2 * batch.targets - 1)}


class TestTests:
  """Held out are examples 0, 2, 4, 5 and 7, of 3, 4, 6, 5 and 4 items."""

  def made(self, monkeypatch, batch_size=2, max_length=6):
    register(monkeypatch)
    task = tasks.TASKS['mine'] = made(validation=[0, 2, 4, 5, 7])
    monkeypatch.setattr(encoder_solver.Model, 'answer_batch', tells_even)
    model = models.build(Config(model='tiny', task=('mine',)))
    return evaluation.Tester(model, task, max_length, 8, batch_size, devices.first(1))

  @pytest.mark.parametrize('length, right, count, bits', [
      (3, 1, 1, 9), (4, 1, 2, 24), (5, 0, 1, 15), (6, 1, 1, 18), (None, 3, 5, 66)])
  def test_each_example_of_exactly_a_length_or_of_all_counts_once(
      self, monkeypatch, length, right, count, bits):
    for batch_size in (1, 2, 7):
      counts = self.made(monkeypatch, batch_size).test(PARAMS, length, batches=100)
      assert (counts.sequences_right, counts.sequences, counts.bits) == (right, count, bits)

  def test_all_are_those_that_fit(self, monkeypatch):
    assert self.made(monkeypatch, max_length=4).test(PARAMS, None).sequences == 3

  def test_a_curve_is_of_each_length_alone(self, monkeypatch):
    curve = self.made(monkeypatch).curve(PARAMS, [3, 4, 6])
    assert [(c.sequences_right, c.sequences) for c in curve.values()] == [(1, 1), (1, 2), (1, 1)]

  def test_of_more_than_there_are_batches_other_seeds_draw_others(self, monkeypatch):
    tester = self.made(monkeypatch, 1)
    found = [tester.test(PARAMS, None, batches=2, seed=seed) for seed in range(8)]
    assert {counts.sequences for counts in found} == {2} and len(set(found)) > 1
    assert found[1] == tester.test(PARAMS, None, batches=2, seed=1)

  def test_many_batches_at_a_time_count_the_same(self, monkeypatch):
    one_by_one = self.made(monkeypatch).test(PARAMS, None)
    monkeypatch.setattr(evaluation.Tester, '_at_once', 2)
    assert self.made(monkeypatch).test(PARAMS, None) == one_by_one

  def test_random_sequences_have_a_length(self, monkeypatch):
    task = tasks.get('serial_recall')
    tester = evaluation.Tester(models.build(Config(task=(task.name,))), task, 4, 8, 2)
    with pytest.raises(errors.UserError, match='length is None; it must be a whole number'):
      tester.test(PARAMS, None)


@pytest.mark.parametrize('length', [1, 4, 7, 1000])
@pytest.mark.parametrize('ask', ['test', 'curve'])
def test_no_test_is_of_lengths_that_no_example_has(monkeypatch, ask, length):
  """Held out are examples of 2 and 6 items, the shortest to train on has 1."""
  task = made(validation=[4, 6])
  monkeypatch.setitem(tasks.TASKS, 'mine', task)
  tester = evaluation.Tester(models.build(Config(task=('mine',))), task, 1000, 1024, 2)
  with pytest.raises(errors.UserError, match=(
      f"length is {length:,} and task 'mine' has no held-out example of so many items; use one "
      f"that some have, the nearest is {2 if length < 5 else 6}, or None")):
    getattr(tester, ask)({}, length if ask == 'test' else [2, length])


class Slotted(items.Vectors):
  """Keeps its numbers where `vars` does not find them."""
  __slots__ = ('weights',)

  def __init__(self, weights):
    super().__init__(2)
    object.__setattr__(self, 'weights', weights)

  def __hash__(self):
    return 0


def inverse(value):
  return 1 / value


@pytest.mark.parametrize('one, other', [
    ((1., 2.), (1., 3.)), (np.eye(2), np.ones((2, 2))), (np.float32(1), np.float32(2)),
    ({'a': 1}, {'a': 2}), (None, 1), (inverse, abs), (items.Bits(2), items.Bits(3)),
    (functools.partial(inverse, 1), functools.partial(inverse, 2)), (range(2), range(3)),
    (frozenset('ab'), frozenset('ac')), (1j, 2j)],
    ids=lambda value: type(value).__name__)
def test_all_that_a_kind_is_made_of_says_what_is_asked(one, other):
  digest = lambda weights: data.from_arrays(
      'mine', [np.eye(2)] * 2 + [np.ones((2, 2))], [np.eye(2)] * 3, items=items.Vectors(2),
      answers=Slotted(weights)).digest
  assert digest(one) == digest(copy.deepcopy(one)) != digest(other)


def test_whole_numbers_that_single_precision_does_not_hold_are_no_vectors():
  """They would be examples that are alike, or count other things."""
  vectors = lambda last, kind: data.from_arrays(
      'mine', np.array([[[1]], [[last]]], kind), np.ones((2, 1, 1)), items=items.Vectors(1),
      answers=items.Vectors(1))
  assert vectors(2**24 + 2, np.int64) and vectors(2**31, np.uint32) and vectors(2**24 + 1, float)
  for last in (2**24 + 1, 2**63 - 1):
    with pytest.raises(errors.UserError, match=r'whole numbers to 16,777,216 .* scale them'):
      vectors(last, np.int64)


def test_a_run_goes_on_with_its_own_examples_alone(monkeypatch, tmp_path):
  register(monkeypatch)
  config = Config(model='tiny', task=('mine',), max_length=6, memory=8, max_iterations=100,
                  validation_length=6, hold=0, grow=0)
  tasks.register(made())
  first = run.train(config, tmp_path / 'run')
  for changes in ({'validation': [0]}, {'start': phases.HANDOVER}):
    tasks.TASKS['mine'] = made(**changes)
    with pytest.raises(errors.UserError, match="examples of task 'mine': others than it began wi"):
      run.train(config, tmp_path / 'run')
  tasks.TASKS['mine'] = made()
  file = tmp_path / 'run' / 'config.json'
  noted = json.loads(file.read_text())['data_digests']['mine']
  assert workdir._same_examples(noted.partition(' ')[0], noted)  # As runs of before noted it.
  again = run.train(config, tmp_path / 'run')
  assert first.iteration == again.iteration
  assert trained.load(tmp_path / 'run').config.task == ('mine',)
