"""Every public entrance that takes a length, a size, a count or a seed, with what it cannot do."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.paper import execute
from experiments.paper import runs
from maes_jax import config as config_lib
from maes_jax import diagnostics
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import limits
from maes_jax import models
from maes_jax import randomness
from maes_jax import recording as recordings
from maes_jax import tasks
from maes_jax.config import Config

LARGEST = config_lib.LARGEST
ODD, SERIAL = tasks.get('odd_recall'), tasks.get('serial_recall')


@functools.cache
def model(name='maes'):
  sizes = {'lstm': {'layers': 1, 'units': 3}, 'dnc': {'read_heads': 3, 'units': 3}}
  return models.build(Config(model=name, task=('odd_recall',), **sizes.get(name, {'units': 3})))


def params(name='maes'):
  """Nothing is computed with them: whatever is wrong shows before."""
  return models.parameters(model(name))


def prepare(name='maes', task=ODD, **options):
  return evaluation.Tester(model(name), task, **{'max_length': 4, 'addresses': 8, **options})


def score(**options):
  return prepare().test(params(), **{'length': 4, **options})


def record(name='maes', task=ODD, **options):
  given = {'length': 4, 'addresses': 8, **options}
  return recordings.record(model(name), params(name), task, **given)


def sample(length, max_length):
  return tasks.sample(ODD, jax.random.key(0), length, max_length)


def sample_batch(lengths, max_length):
  keys = jax.random.split(jax.random.key(0), len(lengths))
  return tasks.sample_batch(ODD, keys, jnp.array(lengths), max_length)


def answer(**options):
  """As users ask a model, without a tester."""
  episodes = tasks.sample_batch(ODD, jax.random.split(jax.random.key(0), 2), jnp.array([2, 9]), 9)
  model().answer_batch(params(), {'odd_recall': episodes}, **options)


def look(function, name='maes', **options):
  return function(model(name), params(name), **{'length': 4, 'addresses': 8, **options})


def settings(**options):
  return execute.Settings(pathlib.Path('w'), pathlib.Path('r'), **options)


# What is asked, and what the line says: the argument, what it is, what it may be.
WRONG = {
    'tester: length 0': (lambda: prepare(max_length=0), 'max_length is 0; .* 1 to'),
    'tester: half a length': (lambda: prepare(max_length=2.5), 'max_length is 2.5; .* whole'),
    'tester: length of text': (lambda: prepare(max_length='9'), "max_length is '9'; .* whole"),
    'tester: true': (lambda: prepare(max_length=True), 'max_length is True; .* whole number'),
    'tester: longer than any': (lambda: prepare(max_length=2**31), r'2147483648; .* 1,073,741,824'),
    'tester: memory too small': (lambda: prepare(max_length=8), 'max_length is 8.* at least 9'),
    'tester: no memory': (lambda: prepare(addresses=0), 'addresses is 0; .* 1 to'),
    'tester: kernel': (lambda: prepare(max_length=1, addresses=2), 'at least [35] addresses'),
    'tester: heads': (lambda: prepare('dnc', max_length=1, addresses=2), 'read_heads is 3.* to 2'),
    'tester: no batch': (lambda: prepare(batch_size=0), 'batch_size is 0; .* 1 to'),
    'tester: endless batch': (lambda: prepare(batch_size=10**20), 'batch_size is 1000.*1,073'),
    'tester: no such solver': (lambda: prepare(task=SERIAL), "'serial_recall'; .*odd_recall"),
    'tester: a name': (lambda: prepare(task='odd_recall'), r"'odd_recall'; give a .*tasks\.get"),
    'tester: several batches': (lambda: prepare(batch_size=[2, 3]), r'batch_size is \[2, 3\]; .*a'),
    'tester: several memories': (lambda: prepare(addresses=[16, 20]), r'addresses is \[16, 20\]; '),
    'tester: array of a memory': (lambda: prepare(addresses=np.array(16)), 'addresses is array.16'),
    "tester: JAX's": (lambda: prepare(max_length=jnp.int32(4)), 'max_length is Array.4.*whole'),
    'test: several lengths': (lambda: score(length=[3, 4]), r'length is \[3, 4\]; .* whole number'),
    'test: several batches': (lambda: score(batches=[1]), r'batches is \[1\]; .* whole number'),
    'test: several seeds': (lambda: score(seed=[1, 2]), r'seed is \[1, 2\]; .* whole number'),
    'sample: several': (lambda: sample(np.array([2, 3]), 4), r'length is array.\[2, 3\].*whole'),
    'test: length 0': (lambda: score(length=0), 'length is 0; .* 1 to'),
    'test: longer than padded': (lambda: score(length=5), 'length is 5 and max_length 4.*1 to 4'),
    'test: no batches': (lambda: score(batches=0), 'batches is 0; .* 1 to'),
    'test: endless batches': (lambda: score(batches=2**40), 'batches is 1099.*1,073,741,824'),
    'test: negative seed': (lambda: score(seed=-1), 'seed is -1; .* 0 to 4,294,967,295'),
    'test: large seed': (lambda: score(seed=2**32), 'seed is 4294967296; .* 0 to 4,294,967,295'),
    'curve: a length too long': (
        lambda: prepare().curve(params(), [1, 2, 5]), 'length is 5 and max_length 4'),
    'curve: seed': (lambda: prepare().curve(params(), [1], seed=2**64), 'seed is 1844.*4,294'),
    "answer_batch: JAX's": (lambda: answer(addresses=jnp.int32(16)), 'addresses is Array.16.*a w'),
    'record: length 0': (lambda: record(length=0), 'length is 0; .* 1 to'),
    'record: memory too small': (lambda: record(length=40, addresses=16), '40.* at least 41'),
    'record: kernel': (lambda: record(length=1, addresses=2), 'at least [35] addresses'),
    'record: seed': (lambda: record(seed=2**32), 'seed is 4294967296; .* 0 to'),
    'record: no such solver': (lambda: record(task=SERIAL), "'serial_recall'; it has one for odd"),
    'record: no memory': (lambda: record('lstm'), 'no memory to look at'),
    'record: too much': (lambda: record(addresses=10**8), 'at most 0 or fewer addresses'),
    'sample: length 0': (lambda: sample(0, 4), 'length is 0; .* 1 to'),
    'sample: negative': (lambda: sample(np.int32(-3), 4), 'length is -3; .* 1 to'),
    'sample: longer than padded': (lambda: sample(6, 4), 'length is 6 and max_length 4.*1 to 4'),
    'sample: an array': (lambda: sample(jnp.array(5), 4), 'length is 5 and max_length 4'),
    'sample: padded to nothing': (lambda: sample(1, 0), 'max_length is 0; .* 1 to'),
    'sample_batch: one of them': (lambda: sample_batch([1, 5, 2], 4), '5 and max_length 4'),
    'sample_batch: length 0': (lambda: sample_batch([1, 0, 2], 4), 'length is 0; .* 1 to'),
    'randomness: seed': (
        lambda: randomness.key(2**32, randomness.Stream.TEST), 'seed is 4294967296; .* 0 to'),
    'config: seed': (lambda: Config(seed=2**32), 'seed is 4294967296; .* at most 1073741824'),
    'config: seeds': (lambda: Config(seeds=2**31), 'seeds is 2147483648; .* at most 1073741824'),
    'settings: memory too small': (
        lambda: settings(length=64, memory=16), 'length is 64, .* 16 .* at least 65'),
    'settings: no batches': (lambda: settings(batches=0), 'batches is 0; .* 1 to'),
    'settings: seeds': (lambda: settings(seeds=2**31), 'seeds is 2147483648; .* 1,073,741,824'),
    'execute: kernel': (
        lambda: execute.execute(runs.RUNS['E_S'], settings(length=1, memory=2)), 'at least 3'),
    **{f'{function.__name__}: {name}': (functools.partial(look, function, **options), line)
       for function in (diagnostics.writing, diagnostics.encode_random, diagnostics.repeated_words)
       for name, options, line in [
           ('length 0', {'length': 0}, 'length is 0; .* 1 to'),
           ('memory too small', {'length': 8}, 'length is 8.* at least 9'),
           ('kernel', {'length': 1, 'addresses': 2}, 'at least [35] addresses'),
           ('no memory', {'name': 'lstm'}, 'no memory to look at')]},
}


@pytest.mark.parametrize('name', WRONG)
def test_is_refused_in_a_line_before_any_work(name, monkeypatch):
  call, line = WRONG[name]
  monkeypatch.setattr(evaluation.Tester, '_test_batches', None)
  monkeypatch.setattr(recordings.Recorder, '_trace', None)
  with pytest.raises(errors.UserError, match=line) as error:
    call()
  assert '\n' not in str(error.value)


def test_the_largest_and_the_smallest_are_fine():
  limits.check(length=1, max_length=1, addresses=2, seed=0, batches=LARGEST)
  limits.check(seed=2**32 - 1, length=np.int64(7), max_length=np.uint8(7), memory=8)


def test_what_jax_traces_is_not_known():
  jax.eval_shape(lambda length: limits.check(length=length, max_length=4), 9)
  jax.eval_shape(lambda length: sample(length, 4), 9)


@pytest.mark.parametrize('lengths, wrong', [
    ([2, 3], None), ([1, 2], 'length is 1 and task'), ([2, 5], 'length is 5 and max_length 4')])
def test_what_is_known_is_checked_while_jax_traces_the_rest(lengths, wrong):
  """An array of JAX's that was there before: its largest number must not become a traced one."""
  lengths, task = jnp.array(lengths), tasks.get('associative_recall')
  draw = jax.jit(lambda key: tasks.sample_batch(task, jax.random.split(key, 2), lengths, 4))
  if wrong is None:
    assert draw(jax.random.key(0)).length.tolist() == [2, 3]
  else:
    with pytest.raises(errors.UserError, match=wrong):
      draw(jax.random.key(0))


@pytest.mark.parametrize('given', [3.9, True, np.array([3])], ids=str)
def test_a_length_that_is_traced_is_known_by_its_kind(given):
  """A fraction would be cut off, a truth be 1."""
  draw = jax.jit(lambda n: tasks.sample(tasks.get('serial_recall'), jax.random.key(0), n, 5))
  with pytest.raises(errors.UserError, match=r'length is \[.*traced; .* a whole number \[\]'):
    draw(given)
  assert draw(np.int8(3)).length == 3


def test_every_seed_that_is_allowed_has_numbers_of_its_own():
  seeds = [0, 1, 2**31 - 1, 2**31, 2**32 - 1]
  keys = [randomness.key(seed, randomness.Stream.TEST) for seed in seeds]
  assert len({tuple(jax.random.key_data(key).tolist()) for key in keys}) == len(seeds)


def test_seeds_of_the_largest_population_do_not_wrap():
  """The last model's seed still fits into what the trainer counts in."""
  config = Config(seed=LARGEST, seeds=LARGEST)
  assert config.seed + config.seeds - 1 <= np.iinfo(np.int32).max


@pytest.mark.parametrize('name', ['forget', 'n_back', 'reading_span', 'delayed_match'])
@pytest.mark.parametrize('function', [
    diagnostics.writing, diagnostics.encode_random, diagnostics.repeated_words])
def test_a_task_that_stores_in_another_way_has_no_picture_of_how_it_writes(function, name):
  """What is shown first are not its items, or not all."""
  other = models.build(Config(task=(name,)))
  for seen in (function, jax.jit(function, static_argnums=(0, 2, 3))):
    with pytest.raises(errors.UserError, match=f"'{name}' does not begin with .* 12") as error:
      seen(other, models.parameters(other), 12, 60)
    assert '\n' not in str(error.value)


def test_one_item_has_no_step_to_the_next():
  with pytest.raises(errors.UserError, match=r'length is 1, .*; use at least 2'):
    diagnostics.writing(model(), models.parameters(model()), 1, 60)


def test_how_an_encoder_writes_is_the_same_while_jax_traces():
  look = lambda params: diagnostics.writing(model(), params, 12, 60)
  real = model().init(jax.random.key(0))
  jax.tree.map(np.testing.assert_array_equal, jax.jit(look)(real), look(real))
