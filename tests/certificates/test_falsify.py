"""The search finds errors that were planted, and what it finds is wrong when asked as usual."""

import pathlib

from flax import traverse_util
import jax
import numpy as np
import pytest

import maes_jax
from maes_jax.certificates import claims
from maes_jax.certificates import falsify
from maes_jax.items import Bits
from tests.certificates import broken
from tests.certificates import machines


def falsifier(model, name):
  task = maes_jax.tasks.get(name)
  return falsify.Falsifier(model, task, claims.get(task))


def answered(trained, name, witness):
  """The bits that the model gives when it is asked as users ask it."""
  shown = witness.shown if claims.CLAIMS[name].shown else None
  return trained.answer(witness.items, shown, task=name, addresses=witness.addresses, hard=True)


@pytest.mark.parametrize('name, task', [
    ('E_J', 'serial_recall'), ('E_J', 'reverse_recall'), ('E_J-odd_recall', 'odd_recall')])
def test_planted_errors_are_found_and_are_wrong(name, task):
  trained, = broken.models(name, task, 1, seed=3)
  found = falsifier(trained.model, task).search(trained.params, effort=16)
  witness = found.witness
  assert len(witness.items) == 1  # It is shortened, or was the shortest.
  assert witness.wrong.any()
  answer = answered(trained, task, witness)
  wrong = np.asarray(answer).astype(bool) != witness.right[witness.asked]
  np.testing.assert_array_equal(wrong, witness.wrong[witness.asked])
  whole = maes_jax.load(name)
  assert np.array_equal(np.asarray(answered(whole, task, witness)).astype(bool),
                        witness.right[witness.asked])


@pytest.mark.parametrize('model', ['maes', 'ntm', 'lstm', 'dnc'])
def test_untrained_models_of_any_kind_are_wrong(model):
  config = maes_jax.Config(model=model, task=('reverse_recall',))
  built = maes_jax.build(config)
  params = built.init(jax.random.key(0))
  found = falsifier(built, 'reverse_recall').search(params, effort=1, longest=2)
  assert found.tried == 256
  trained = maes_jax.trained.Trained(config, built, 0, {'params': params})
  answer = np.asarray(answered(trained, 'reverse_recall', found.witness)).astype(bool)
  assert (answer != found.witness.right[found.witness.asked]).any()


@pytest.mark.parametrize('erase, time', [(18., 2), (-18., None)])
def test_who_is_wrong_when_asked_again_is_wrong(erase, time):
  """A solver that erases what it reads has nothing to answer a second time."""
  claim = claims.CLAIMS['repeat_serial']
  machine = machines.recall(claim, bits=8, units=1, noise=0., scale=0.)
  machine.params['solver']['interface']['bias'][8:16] = erase
  model, params = machines.as_model(machine, 'repeat_serial', 8)
  found = falsifier(model, 'repeat_serial').search(params, 1, longest=2).witness
  if time is None:
    assert found is None
    return
  assert not found.wrong[:len(found.items)].any()
  assert f'when asked for time {time} and should be' in found.first_error
  episode = maes_jax.tasks.get('repeat_serial')
  trained = maes_jax.trained.Trained(maes_jax.Config(task=('repeat_serial',)), model, 0,
                                     {'params': params})
  counts = maes_jax.Tester(model, episode, 4, 16, batch_size=32).test(trained.params, 4, 1)
  assert counts.sequences_right < counts.sequences


def test_what_a_task_need_not_ask_is_no_error(monkeypatch):
  """Only words whose first bit is 1 count, and the model is wrong about another."""
  ask = lambda key, items, length: maes_jax.tasks.Question(
      0 * items, items, maes_jax.tasks.within(length, len(items)) & (items[:, 0] > .5))
  claim = claims.Claim((0, 1, 0), lambda stored, shown: stored)
  monkeypatch.setitem(claims.CLAIMS, 'own', claim)
  task = maes_jax.tasks.Task('own', outputs=2, ask=ask, items=Bits(2))
  machine = machines.recall(claim, bits=2, units=1, noise=0., scale=0.)
  machine.params['solver']['output']['kernel'][-2, 1] = 36.  # Bit 2 is 1 if both are.
  machine.params['solver']['output']['bias'][1] = -54.
  model, params = machines.as_model(machine, 'own', 2)
  search = falsify.Falsifier(model, task, claims.get(task))
  assert search.search(params, 1, longest=1) == falsify.Search(None, 0)
  assert search.wrong(params, falsify.Sequences(*np.zeros((2, 1, 1, 2)))) is None


def test_heads_that_go_far_have_room(monkeypatch):
  """By three addresses an item: in 144 addresses item 49 lies on the first."""
  ask = lambda key, items, length: maes_jax.tasks.Question(
      0 * items, items, maes_jax.tasks.within(length, len(items)))
  claim = claims.Claim((0, 1, 0), lambda stored, shown: stored)
  monkeypatch.setitem(claims.CLAIMS, 'own', claim)
  task = maes_jax.tasks.Task('own', outputs=2, ask=ask, items=Bits(2))
  machine = machines.recall(claim, bits=2, move=3, units=1, noise=0., scale=0.)
  model, params = machines.as_model(machine, 'own', 2)
  search = falsify.Falsifier(model, task, claim)
  drawn = search._drawn(np.random.default_rng(0), 64, 64)
  assert search.wrong(params, drawn) is None
  assert falsify.Falsifier(model, task, claim, lambda count: 144).wrong(params, drawn)


@pytest.mark.parametrize('bit', [0, 1])
def test_a_logit_that_is_no_number_is_wrong_whatever_is_right(bit):
  one = lambda value: np.full((1, 1), value)
  witness = falsify.Witness(one(bit), one(0), one(np.nan), one(bool(bit)), np.array([True]), 4)
  assert witness.wrong.all()


def test_a_witness_is_shortened_and_nothing_is_found_where_nothing_is_wrong():
  trained = maes_jax.load('E_S')
  params = machines.plain(trained.params)
  params['solvers']['serial_recall']['output']['bias'][0] += 14  # Its margin is 10 or so.
  search = falsifier(trained.model, 'serial_recall')
  short = search.search(params, effort=1).witness
  items = np.concatenate([np.zeros((4, 8)), short.items, np.ones((3, 8))])
  long = search.wrong(params, falsify.Sequences(items[None], 0 * items[None]))
  assert len(long.items) == 8
  shortened = search._shortened(params, long)
  assert len(shortened.items) == 1
  assert shortened.wrong.any()
  whole = search.search(trained.params, effort=1, longest=1)
  assert whole == falsify.Search(None, 256)


def test_a_search_word_by_word_finds_what_no_single_pair_shows():
  """A model that is wrong on some words after some others, and on none of 4,096 drawn at random.

  It was trained, and its encoder leaves the marker softly: of the second item it stores what
  depends on the first, too.
  """
  model = maes_jax.build(maes_jax.Config(task=('sequence_comparison',)))
  with np.load(pathlib.Path(__file__).with_name('soft_marker.npz')) as stored:
    trained = traverse_util.unflatten_dict(dict(stored), sep='/')
  search, random = falsifier(model, 'sequence_comparison'), np.random.default_rng(0)
  smallest = lambda params, sequences: search.margins(params, sequences).min()
  pairs, drawn = search._everything(1, effort=1), search._drawn(random, 4096, 2)
  by_word = search._by_word(trained, random, 2, budget=50_000)
  found = min(smallest(trained, tried) for tried in by_word)
  params = machines.plain(trained)
  shift = (found + smallest(trained, pairs)) / 2
  params['solvers']['sequence_comparison']['output']['bias'][0] += shift  # Towards equal.
  assert smallest(params, pairs) > .01 < smallest(params, drawn)
  assert len(search.search(params, effort=200).witness.items) == 2


@pytest.mark.parametrize('name, asked', [
    ('sequence_equality', [False, False, True]), ('hard_equality', [False, False, True]),
    ('prefix_equality', [True, True, True]), ('odd_recall', [True, True, False])])
def test_only_what_a_task_asks_can_be_wrong(name, asked):
  """A claim may say more: of Equality what is right after every item."""
  model = maes_jax.build(maes_jax.Config(task=(name,)))
  items = np.zeros((1, 3, 8))
  _, found = falsifier(model, name)._truth(items, items)
  assert found.tolist() == [asked]
