"""Hard sequences: those of a pool that a model does worst, and nothing else changes."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import families
from maes_jax import models
from maes_jax.config import Config
from maes_jax.training import mining
from maes_jax.training.trainer import Trainer
from tests.training import test_trainer as tiny

BATCH, BATCHES, FULL = 6, 3, 150


@pytest.mark.parametrize('size, kept', [(2, 1), (6, 3), (7, 4)])
def test_the_hardest_of_all_that_are_drawn_stand_for_half_of_a_batch(size, kept):
  draw = lambda key: {'x': jax.random.normal(key, (size, 2))}
  worst = lambda batch: batch['x'].sum(1)
  keys = jax.random.split(jax.random.key(0), 5)
  batch = draw(jax.random.key(1))
  found = jax.jit(mining.mixed, static_argnums=(1, 2))(batch, draw, worst, keys)['x']
  np.testing.assert_array_equal(found[:kept], batch['x'][:kept])
  pool = np.concatenate([draw(key)['x'] for key in keys])
  hardest = pool[np.argsort(-pool.sum(1))][:size - kept]
  np.testing.assert_array_equal(found[kept:], hardest)


@functools.cache
def trainer(**changes):
  changes = {'batch_size': BATCH, 'hard_batches': BATCHES, **changes}
  return Trainer(dataclasses.replace(tiny.CONFIG, **changes), tiny.MODEL)


@functools.cache
def batches(iteration):
  """Of the first model what it trains on, with and without hard sequences, and how hard all are."""
  params = tiny.model(tiny.fresh(), 0).params
  found = [jax.jit(trainer(hard_batches=count)._batch)(params, 5, iteration)
           for count in (BATCHES, 0)]
  return found, [trainer()._worst(params, batch) for batch in found]


@pytest.mark.parametrize('iteration', [0, FULL - 1])
def test_none_until_lengths_are_full(iteration):
  tiny.assert_same(*batches(iteration)[0])


def test_half_of_a_batch_then():
  (mixed, plain), (hard, usual) = batches(FULL)
  half = lambda tree, part: jax.tree.map(lambda leaf: leaf[part], tree)
  tiny.assert_same(half(mixed, slice(3)), half(plain, slice(3)))
  assert hard[3:].min() > usual.mean()
  np.testing.assert_array_equal(hard[3:], -np.sort(-hard[3:]))


def test_what_a_model_trains_on_is_its_own_affair():
  """One of three in a window across the start of hard sequences is what its seed alone gives."""
  states = []
  for seeds, seed, k in ((3, 5, 1), (1, 6, 0)):
    one = trainer(hold=20, grow=30, seeds=seeds, seed=seed)
    states.append(tiny.model(tiny.train(one, jax.device_get(one.init())), k))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4),
               states[0].params, states[1].params)


def test_each_task_counts_and_only_answers_that_are_asked():
  config = families.resolve(Config(
      task=('serial_recall', 'sequence_equality'), units=3, memory=6, max_length=4, batch_size=4,
      hard_batches=2, hold=0, grow=0))
  of_two = Trainer(config, models.build(config))
  params = of_two.model.init(jax.random.key(0))
  batch = of_two._batch(params, 0, 0)
  found = np.array(of_two._worst(params, batch))
  logits = of_two.model.answer_batch(params, batch, config.memory)
  for i in range(4):
    each = []
    for name, episode in batch.items():
      right, mask = np.array(episode.targets[i], float), np.array(episode.mask[i])
      told = np.array(logits[name][i], float)
      each.append((np.logaddexp(0, told) - right * told)[mask].max())
    np.testing.assert_allclose(found[i], max(each), rtol=1e-5)


def test_a_batch_with_hard_sequences_is_not_dealt_out():
  """The hardest of two halves are not the hardest of the whole."""
  config = dataclasses.replace(tiny.CONFIG, seeds=1, batch_size=4, validation_sequences=4)
  shared = lambda count: Trainer(dataclasses.replace(config, hard_batches=count), tiny.MODEL,
                                 devices=jax.devices() * 2).mesh.shape['batch']
  assert (shared(0), shared(3)) == (2, 1)


def test_a_batch_of_one_has_no_half():
  with pytest.raises(errors.UserError, match='half of a batch are hard sequences'):
    Config(hard_batches=8, batch_size=1)
