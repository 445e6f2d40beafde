"""On an accelerator the results are those of a CPU, within bounds; see `make test-accelerator`."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.bench import ours
from experiments.bench import precision
import maes_jax
from maes_jax import evaluation
from maes_jax import families
from maes_jax import models
from maes_jax import tasks
from maes_jax import trained
from maes_jax.config import Config
from maes_jax.training.trainer import Trainer

pytestmark = pytest.mark.skipif(
    jax.default_backend() == 'cpu', reason='no accelerator: set TEST_PLATFORMS, e.g. to cuda,cpu')


@pytest.mark.parametrize('how', [precision.DEFAULT, precision.HIGHEST])
def test_training_goes_the_same_way(how):
  assert precision.training(how, iterations=20) < 1e-4


def test_long_answers_are_the_same():
  found = precision.answers(precision.HIGHEST)
  assert found['difference'] < 1e-4 and found['right'] == 1


def test_every_bit_is_right_with_fewer_digits():
  """How far logits then move is measured, in `results/accelerator.json`."""
  assert precision.answers(precision.DEFAULT)['right'] == 1


def test_a_frozen_encoder_stays_as_it_is():
  pretrained = {'encoder': maes_jax.load('E_J', only=['encoder']).params['encoder']}
  settings = families.resolve(Config(task=('odd_recall',), seeds=3))
  trainer = Trainer(settings, models.build(settings), tuple(pretrained), devices=jax.devices()[:1])
  params = trainer.train_population(trainer.init(pretrained)).params
  for before, after in zip(jax.tree.leaves(pretrained), jax.tree.leaves(params['encoder'])):
    np.testing.assert_array_equal(np.broadcast_to(before, after.shape), after)


def test_validation_is_the_same():
  settings = ours.config(seeds=3)

  def losses(device):
    trainer = Trainer(settings, models.build(settings), devices=[device])
    return jax.device_get(trainer.validate_population(trainer.init())[0])
  card, cpu = losses(jax.devices()[0]), losses(jax.devices('cpu')[0])
  np.testing.assert_allclose(card, cpu, rtol=1e-5)


def test_long_tests_are_passed():
  model = trained.load('checkpoints/E_J')
  for task in model.model.tasks:
    counts = evaluation.Tester(model.model, tasks.get(task), 1000, 1024, 32).test(
        model.params, 1000, batches=1)
    assert counts.bits_right == counts.bits


def test_what_was_trained_is_proved():
  """A proof is computed on the CPU, from parameters wherever they are."""
  restored = trained.load('checkpoints/E_J')
  on_card = dataclasses.replace(restored, saved=jax.tree.map(jnp.asarray, restored.saved))
  assert maes_jax.certify(on_card, 'serial_recall').status == 'certified'
