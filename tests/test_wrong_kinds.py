"""An argument of the wrong kind is a line that says what to give, wherever it is given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import maes_jax
from maes_jax import cells
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import families
from maes_jax import items
from maes_jax import tasks
from maes_jax.tasks import dual

WORDS = np.zeros((4, 8), np.float32)
ASK = tasks.get('serial_recall').ask


def key():
  return jax.random.key(0)


@pytest.fixture(name='model', scope='module')
def fixture_model():
  return maes_jax.load('E_J')


@pytest.fixture(name='tester', scope='module')
def fixture_tester(model):
  return evaluation.Tester(model.model, tasks.get('serial_recall'), 10, 16)


@pytest.mark.parametrize('sequences, options, words', [
    (WORDS, {'task': 3}, 'the task is 3; give a maes_jax.tasks.Task'),
    (WORDS, {'task': ['serial_recall']}, r"the task is \['serial_recall'\]; give"),
    (WORDS, {'task': ()}, r'the task is \(\); give'),
    ([WORDS], {'aux': iter([WORDS])}, 'aux is <list_iterator .*; give a list'),
    ([WORDS], {'aux': {0: WORDS}}, 'aux is {0: .*; give a list'),
    (WORDS, {'hard': 'no'}, "hard is 'no'; it must be True or False")])
def test_of_an_answer(model, sequences, options, words):
  with pytest.raises(errors.UserError, match=words):
    model.answer(sequences, **{'task': 'serial_recall', **options})


@pytest.mark.parametrize('given, words', [
    (lambda: tasks.get(3), 'unknown task 3: it must be one of associative_recall'),
    (lambda: tasks.get([3]), r'unknown task \[3\]'),
    (lambda: tasks.register('x'), "the task is 'x'; give a maes_jax.tasks.Task"),
    (lambda: tasks.sample('serial_recall', key(), 3, 5), "the task is 'serial_recall'; give"),
    (lambda: tasks.sample(tasks.get('serial_recall'), key(), 3, 5, split='test'),
     "unknown split 'test': it must be one of held_out, training"),
    (lambda: tasks.sample_batch('serial_recall', key()[None], jnp.array([3]), 5), 'the task is'),
    (lambda: tasks.from_iterator('mine', 3, 4), "task 'mine': examples are 3; give tuples"),
    (lambda: tasks.Task('mine', 8, ASK, items=items.Bits), 'items .* is the class Bits; give a'),
    (lambda: tasks.Task('mine', 8, ASK, answers=items.Bits), 'answers .* is the class Bits'),
    (lambda: dual.scratch_pad(cuts=3), 'cuts are 3; give maes_jax.tasks.dual.Cuts'),
    (lambda: dual.reading_span(cuts=3), 'cuts are 3; give'),
    (lambda: families.register('mine', cells.gru.Gru), 'the family is <class .*; give a maes_jax'),
    (lambda: families.register(3, families.get('gru')), 'the name of a model is 3; give text'),
    (lambda: cells.RNNCell(cells.maes.Maes(), 0).initialize_carry(key(), (3,)), 'addresses is 0')])
def test_of_what_is_registered_or_drawn(given, words):
  with pytest.raises(errors.UserError, match=words):
    given()


@pytest.mark.parametrize('options, words', [
    ({'path': None}, 'the path is None; give a folder or a file'),
    ({'path': 'E_J', 'only': 3}, "only is 3; give keys of the parameters, e.g. 'encoder'")])
def test_of_what_is_loaded(options, words):
  with pytest.raises(errors.UserError, match=words):
    maes_jax.load(**options)


def test_of_what_is_tested_or_proved(model, tester):
  for given, words in (
      (lambda: tester.curve(model.params, 3), 'lengths are 3; give a list of whole numbers'),
      (lambda: tester.test(model, 5), 'the parameters are Trained.*; give those'),
      (lambda: tester.test(None, 5), 'the parameters are None; give those'),
      (lambda: evaluation.Tester(model, tasks.get('odd_recall'), 10, 16), 'the model is Trained'),
      (lambda: maes_jax.certify('E_J', 'reverse_recall'), "the model is 'E_J'; give what maes_jax"),
      (lambda: maes_jax.certify(model, 3), 'the task is 3; give')):
    with pytest.raises(errors.UserError, match=words):
      given()


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16, jnp.int8, bool])
def test_words_of_any_dtype_are_words(model, dtype):
  words = np.random.default_rng(0).integers(0, 2, (5, 8))
  found = model.answer(jnp.asarray(words, dtype), task='reverse_recall', hard=True)
  np.testing.assert_array_equal(found, words[::-1])
