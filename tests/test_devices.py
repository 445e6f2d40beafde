"""Eight devices against one: the same numbers, whatever the work is dealt out to.

A process has as many devices as it started with, so what needs eight runs in one of its own.
"""

import json
import os
import subprocess
import sys

import pytest

SCRIPT = """
import dataclasses, json, jax, numpy as np
from maes_jax import devices, evaluation, tasks
from maes_jax.training.trainer import Trainer
from tests.training import test_trainer as tiny

def train(batch, count):
  config = dataclasses.replace(tiny.CONFIG, seeds=4, batch_size=batch, validation_sequences=6)
  trainer = Trainer(config, tiny.MODEL, devices=devices.first(count))
  state = trainer.train_population(trainer.init())
  losses, counts = trainer.validate_population(state)
  return devices.fetch((state, losses, counts)), len(state.iteration.sharding.device_set)

def differ(one, other):
  pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
  return max(float(np.max(abs(1. * a - b) / (abs(a) + 1e-2))) for a, b in pairs)

def test(count):
  model, params = tiny.MODEL, tiny.model(tiny.fresh(), 0).params
  tester = evaluation.Tester(model, tasks.get(tiny.TASK), 6, 8, 16, devices.first(count))
  return tester.test(params, length=6, batches=2)

found = {'meshes': {f'{k} {b}': list(devices.mesh(k, b, devices.first()).shape.values())
                    for k, b in ((1, 1), (8, 1), (10, 1), (1, 64), (3, 2), (4, 2), (7, 5))},
         'tests': [[int(n) for n in test(count)] for count in (1, 8)]}
for batch in (1, 2):
  (one, alone), (eight, shared) = train(batch, 1), train(batch, 8)
  found[f'batch {batch}'] = {'difference': differ(one[0], eight[0]), 'devices': [alone, shared],
                             'counts': differ(one[2], eight[2])}
print(json.dumps(found))
"""


@pytest.fixture(scope='module')
def found():
  environment = os.environ | {'JAX_NUM_CPU_DEVICES': '8', 'JAX_PLATFORMS': 'cpu',
                              'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'}
  done = subprocess.run([sys.executable, '-c', SCRIPT], env=environment, capture_output=True,
                        text=True, check=False)
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout)


@pytest.mark.parametrize('models, batch, mesh', [
    (1, 1, [1, 1]),  # One model, one sequence: nothing to share.
    (8, 1, [8, 1]),
    (10, 1, [5, 1]),  # Ten models go evenly on five devices, not on eight.
    (1, 64, [1, 8]),  # The batch is shared where there are not models enough,
    (3, 2, [3, 2]),
    (4, 2, [4, 2]),  # or by what the models leave.
    (7, 5, [7, 1]),
])
def test_models_are_dealt_out_first_and_evenly(found, models, batch, mesh):
  assert found['meshes'][f'{models} {batch}'] == mesh


@pytest.mark.parametrize('batch, count', [(1, 4), (2, 8)])
def test_training_on_all_is_training_on_one(found, batch, count):
  """100 iterations; sums over a batch that is shared round differently, which training amplifies.

  The tolerance is that of a population against each of its seeds alone.
  """
  result = found[f'batch {batch}']
  assert result['devices'] == [1, count]
  assert result['difference'] < 1e-3
  assert result['counts'] == 0


def test_tests_count_the_same(found):
  one, eight = found['tests']
  assert one == eight and one[2] == 32
