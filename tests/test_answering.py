"""What a trained model answers about given sequences: against what it is asked in tests."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import answering
from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import items
from maes_jax import models
from maes_jax import tasks
from maes_jax import trained
from maes_jax.cells import maes
from maes_jax.config import Config
from maes_jax.tasks import streams

RNG = np.random.default_rng(0)
MIXED = [RNG.integers(0, 2, (n, 8)) for n in (1, 15, 16, 5, 40)]


@pytest.fixture(scope='module')
def joint():
  """Serial and Reverse Recall."""
  return trained.load('E_J')


@pytest.fixture(scope='module')
def comparing():
  return trained.load('E_J-sequence_comparison')


@pytest.fixture
def own(monkeypatch):
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))


def untrained(task, **options):
  """A model with random parameters for a task that it registers."""
  task = tasks.register(task)
  embed = task.items.embedding and encoder_solver.Embed(task.items.embedding, task.control_bits)
  cell = lambda outputs: maes.Maes(outputs=outputs, width=3, units=2, **options)
  model = encoder_solver.Model(cell(0), {task.name: cell(task.outputs)}, inputs=task.inputs,
                               embed=embed)
  return trained.Trained(
      Config(task=(task.name,)), model, 0, {'params': model.init(jax.random.key(0))})


class TestAnswers:

  def test_sequences_of_mixed_lengths_are_recalled(self, joint):
    """Shipped models are right on all: what comes back is what went in, each at its length."""
    for found, wanted in zip(joint.answer(MIXED, task='serial_recall'), MIXED, strict=True):
      assert found.shape == wanted.shape
      assert np.abs(found - wanted).max() < .01
    for found, wanted in zip(
        joint.answer(MIXED, task='reverse_recall', hard=True), MIXED, strict=True):
      np.testing.assert_array_equal(found, wanted[::-1])
      assert found.dtype.kind == 'i'

  def test_one_sequence_alone_is_the_same_as_among_others(self, joint):
    among = joint.answer(MIXED, task='serial_recall')
    alone = joint.answer(MIXED[3], task='serial_recall')
    np.testing.assert_array_equal(alone, among[3])

  def test_only_answers_that_count_come_back(self):
    odd = trained.load('E_J-odd_recall')
    for found, wanted in zip(odd.answer(MIXED, hard=True), MIXED, strict=True):
      np.testing.assert_array_equal(found, wanted[::2])

  def test_an_auxiliary_sequence(self, comparing):
    keep = [RNG.integers(0, 2, len(words)) for words in MIXED]
    aux = [np.where(k[:, None], words, 1 - words) for k, words in zip(keep, MIXED, strict=True)]
    for found, wanted in zip(comparing.answer(MIXED, aux, hard=True), keep, strict=True):
      np.testing.assert_array_equal(found[:, 0], wanted)

  def test_one_answer_a_sequence(self):
    equal = trained.load('E_J-sequence_equality')
    aux = [words if i % 2 else 1 - words for i, words in enumerate(MIXED)]
    found = np.stack(equal.answer(MIXED, aux, hard=True))
    np.testing.assert_array_equal(found, [[[i % 2]] for i in range(len(MIXED))])

  def test_they_are_what_the_model_answers_in_an_episode(self, joint):
    """To rounding, in a memory of another size."""
    task = tasks.get('reverse_recall')
    episode = tasks.sample(task, jax.random.key(3), 6, 9)
    words = np.asarray(episode.program[0].inputs[1:7, 2:])
    wanted = joint.model.answer(joint.params, {task.name: episode}, 12)[task.name]
    found = joint.answer(words, task=task.name, addresses=12)
    np.testing.assert_allclose(found, jax.nn.sigmoid(wanted)[1:7], atol=1e-5)


class TestOwnTasks:

  @pytest.mark.usefixtures('own')
  def test_tokens_embedded_and_classes(self):
    words, classes = [[0, 1], [2, 3, 3], [4]], [0, 2, 1]
    task = tasks.from_arrays('mine', words, classes, items=items.Tokens(5, embedded=3),
                             answers=items.Tokens(3), validation=[0])
    model = untrained(task)
    found = model.answer(words)
    assert [one.shape for one in found] == [(1, 3)] * 3
    np.testing.assert_allclose([one.sum() for one in found], 1, rtol=1e-5)
    for hard, soft in zip(model.answer(words, hard=True), found, strict=True):
      np.testing.assert_array_equal(hard, soft.argmax(-1))
    # Example 0 is all that is held out.
    episode = tasks.sample(task, jax.random.key(0), 2, 2)
    wanted = model.model.answer(model.params, {'mine': episode}, 30)['mine'][2]
    np.testing.assert_allclose(found[0][0], jax.nn.softmax(wanted), atol=1e-5)

  @pytest.mark.usefixtures('own')
  def test_vectors_with_an_auxiliary_sequence_of_another_length(self):
    sequences = [RNG.normal(size=(n, 2)) for n in (3, 5)]
    aux = [RNG.normal(size=(m, 2)) for m in (20, 2)]
    targets = [RNG.normal(size=(m, 4)) for m in (20, 2)]
    model = untrained(tasks.from_arrays(
        'mine', sequences, targets, aux=aux, items=items.Vectors(2), answers=items.Vectors(4),
        validation=[1]))
    found = model.answer(sequences, aux)
    assert [one.shape for one in found] == [(20, 4), (2, 4)]
    episode = tasks.sample(tasks.get('mine'), jax.random.key(0), 5, 5)
    wanted = model.model.answer(model.params, {'mine': episode}, 30)['mine'][1:3]
    np.testing.assert_allclose(found[1], wanted, atol=1e-5)
    np.testing.assert_array_equal(model.answer(sequences[1], aux[1], hard=True), found[1])

  @pytest.mark.usefixtures('own')
  def test_as_many_answers_as_the_examples_have(self):
    sequences, targets = [np.ones((2, 2)), np.ones((3, 2))], [np.ones((7, 1)), np.ones((1, 1))]
    model = untrained(tasks.from_arrays('mine', sequences, targets, validation=[1]))
    assert model.answer(np.ones((4, 2))).shape == (7, 1)


class TestPrograms:

  def test_one_program_serves_all_lengths_of_a_size(self, joint):
    """And any number of sequences: 15 items and a marker are 16 steps, 31 are 32."""
    answering._compiled.cache_clear()
    task, arrays = 'serial_recall', [np.zeros((n, 8)) for n in (1, 7, 15)]
    for several in (arrays, arrays[:1], arrays * 15):
      joint.answer(several, task=task)
    program = answering._compiled(joint.model, tasks.get(task), 30, False)
    assert (answering._compiled.cache_info().currsize, program._cache_size()) == (1, 1)
    joint.answer(np.zeros((16, 8)), task=task)
    assert answering._compiled.cache_info().currsize == 2  # A memory of 32 addresses.

  @pytest.fixture
  def seen(self, monkeypatch):
    """How many addresses there were, call by call."""
    seen = []
    monkeypatch.setattr(answering, '_compiled', lambda model, task, n, hard: (
        lambda params, batch: (
            seen.append(n), (np.zeros((1, 1, 8)), *[np.ones((1, 1), bool)] * 2))[1]))
    return seen

  @pytest.mark.parametrize('length, addresses', [(1, 30), (29, 32), (31, 32), (32, 64)])
  def test_the_memory_is_the_smallest_that_fits(self, joint, seen, length, addresses):
    joint.answer(np.zeros((length, 8)), task='serial_recall')
    assert seen == [addresses]

  def test_items_have_the_addresses_that_the_task_says_they_need(self, joint, seen):
    wide = dataclasses.replace(tasks.get('serial_recall'), stores=lambda n: 2 * n)
    joint.answer(np.zeros((20, 8)), task=wide)
    assert seen == [63]
    joint.answer(np.zeros((20, 8)), task=wide, addresses=40)
    with pytest.raises(errors.UserError, match='stores up to 40 items and markers, and the memory '
                                               'has 39 addresses; use a memory of at least 40'):
      joint.answer(np.zeros((20, 8)), task=wide, addresses=39)


class TestErrors:

  @pytest.mark.parametrize('sequences, options, words', [
      (np.zeros((3, 8)), {}, 'several tasks; say which: reverse_recall, serial_recall'),
      (np.zeros((3, 8)), {'task': 'odd_recall'}, "no solver for task 'odd_recall'; it has one"),
      (np.zeros((3, 7)), {}, r'sequence 0 is \[3, 7\] of float64; .* must be \[n, 8\]'),
      (np.zeros((0, 8)), {}, r'sequence 0 is \[0, 8\] .* n at least 1'),
      ([np.zeros((3, 8)), np.full((1, 8), np.nan)], {}, 'sequence 1 holds nan'),
      (np.ma.masked_equal(np.eye(8), 1), {}, 'sequence 0 has numbers that a mask hides'),
      (np.full((3, 8), .5), {}, 'sequence 0 holds 0.5 .* a bit must be 0 or 1'),
      (np.zeros((9, 8)), {'addresses': 9}, 'length is 9, more than addresses of 9 addresses'),
      (np.zeros((9, 8)), {'addresses': 0}, 'addresses is 0; it must be a whole number'),
      (np.zeros((3, 8)), {'aux': np.zeros((3, 8))}, 'asks about no auxiliary sequence'),
      ([np.zeros((3, 8))], {'aux': []}, '1 sequences and 0 aux; give as many')])
  def test_what_cannot_be_answered_is_a_line(self, joint, sequences, options, words):
    options = {'task': 'serial_recall', **options} if 'several' not in words else options
    with pytest.raises(errors.UserError, match=words) as error:
      joint.answer(sequences, **options)
    assert '\n' not in str(error.value)

  @pytest.mark.parametrize('value', [np.nan, np.inf])
  def test_what_is_no_number_is_not_chosen_from(self, joint, value):
    broken = jax.tree.map(lambda leaf: np.full_like(leaf, value), joint.params)
    model = dataclasses.replace(joint, saved={'params': broken})
    with pytest.raises(errors.UserError, match='about sequence 0 is no finite number'):
      model.answer(np.zeros((3, 8)), task='serial_recall', hard=True)
    assert np.isnan(model.answer(np.zeros((3, 8)), task='serial_recall')).all()

  @pytest.mark.usefixtures('own')
  def test_a_task_that_needs_more_items_says_so(self):
    ask = lambda key, stored, length: tasks.Question(
        0 * stored, jnp.roll(stored, -2, 0), tasks.within(length - 2, len(stored)))
    model = untrained(tasks.Task('third_on', 8, ask, at_least=3))
    assert len(model.answer(np.zeros((3, 8)))) == 1
    with pytest.raises(errors.UserError, match="sequence 1 has 2 items and task 'third_on'"):
      model.answer([np.zeros((3, 8)), np.zeros((2, 8))])

  def test_a_task_with_an_auxiliary_sequence_wants_it(self, comparing):
    with pytest.raises(errors.UserError, match='asks about an auxiliary sequence; give aux'):
      comparing.answer(np.zeros((3, 8)))
    with pytest.raises(errors.UserError, match=r"aux 0 has 2 items; .* wants 3, as many as"):
      comparing.answer(np.zeros((3, 8)), np.zeros((2, 8)))

  def test_an_encoder_alone_answers_nothing(self):
    with pytest.raises(errors.UserError, match="have encoder and no 'solvers'; give"):
      trained.load('E_J', only='encoder').answer(np.zeros((3, 8)), task='serial_recall')

  @pytest.mark.usefixtures('own')
  def test_a_program_of_ones_own_is_no_question_about_items(self):
    def ask(key, drawn, length):
      question = tasks.get('serial_recall').ask(key, drawn, length)
      return tasks.get('serial_recall').pose(drawn, length, question, length)
    model = untrained(tasks.Task('mine', 8, ask))
    with pytest.raises(errors.UserError, match='asks by a program of its own'):
      model.answer(np.zeros((3, 8)))


  @pytest.mark.usefixtures('own')
  def test_which_answers_count_is_not_drawn(self):
    """It would be those of one draw, whatever the user had in mind."""
    def ask(key, items, length):
      place = jax.random.randint(key, (), 0, length, jnp.int32)
      at = jnp.arange(len(items), dtype=jnp.int32) == place
      return tasks.Question(items * at[:, None], items, at)
    model = untrained(tasks.Task('mine', 8, ask))
    with pytest.raises(errors.UserError, match="'mine' draws at random which of its answers count"):
      model.answer(np.zeros((3, 8)), np.zeros((3, 8)))

  @pytest.mark.usefixtures('own')
  def test_a_task_of_very_many_items_says_what_it_cannot_do(self):
    model = untrained(streams.n_back('far_back', lag=70))
    with pytest.raises(errors.UserError, match='asks by a program of its own'):
      model.answer(np.zeros((80, 8)))


def test_nothing_is_answered_about_nothing(joint):
  assert joint.answer([], task='serial_recall') == []


def test_a_model_in_half_precision_answers(joint):
  half = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), joint.params)
  model = dataclasses.replace(joint, saved={'params': half})
  found = model.answer(MIXED[3], task='serial_recall', hard=True)
  assert found.shape == MIXED[3].shape


@pytest.mark.usefixtures('own')
def test_a_transformer_remembers_the_sequence_however_much_is_shown():
  """Which takes more tokens than in training, and is refused where too few are asked for."""
  draw = lambda count: RNG.integers(0, 2, (count, 4))
  aux = [draw(count) for count in (5, 2, 5, 3)]
  tasks.register(tasks.from_arrays('shown_more', [draw(5) for _ in aux], [a[:, :1] for a in aux],
                                   aux=aux))
  config = Config(model='transformer', task=('shown_more',), memory=8, max_length=5)
  model = models.build(config)
  found = trained.Trained(config, model, 0, {'params': model.init(jax.random.key(0))})
  words, shown = draw(5), draw(120)
  answers = found.answer(words, shown)
  np.testing.assert_allclose(answers, found.answer(words, shown, addresses=200), atol=1e-6)
  assert np.abs(found.answer(1 - words, shown) - answers)[-5:].max() > 1e-3
  with pytest.raises(errors.UserError, match=r'up to 125 items in all.*addresses=63 or more'):
    found.answer(words, shown, addresses=62)


def test_a_task_with_answers_of_other_sizes_is_refused(joint):
  task = tasks.Task('reverse_recall', outputs=3, ask=lambda key, items, length: tasks.Question(
      0 * items, items[:, :3], tasks.within(length, len(items))))
  with pytest.raises(errors.UserError, match='answers of 3 numbers, and this model gives 8'):
    joint.answer(np.ones((4, 8), int), task=task)
