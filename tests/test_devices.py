"""Many devices against one: the same numbers, whatever the work is dealt out to.

A process has as many devices as it started with, so what needs eight runs in one of its own.
"""

import json
import os
import subprocess
import sys

import jax
from jax.experimental import multihost_utils
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import devices
from maes_jax import families

SCRIPT = """
import dataclasses, json, jax, jax.numpy as jnp, numpy as np
from maes_jax import devices, evaluation, families, models, tasks
from maes_jax.config import Config
from maes_jax.training.trainer import Trainer
from tests.training import test_trainer as tiny

def train(seeds, batch, count):
  config = dataclasses.replace(
      tiny.CONFIG, seeds=seeds, batch_size=batch, validation_sequences=3 * batch)
  trainer = Trainer(config, tiny.MODEL, devices=devices.first(count))
  state = trainer.train_population(trainer.init())
  losses, counts = trainer.validate_population(state)
  return devices.fetch((state, losses, counts)), len(state.iteration.sharding.device_set)

def differ(one, other):
  apart = lambda a, b: np.where(a == b, 0, abs(1. * a - b) / (abs(a) + 1e-2)).max()
  return float(np.max(jax.tree.leaves(jax.tree.map(apart, one, other))))  # NaN if any is.

def test(count):
  model, params = tiny.MODEL, tiny.model(tiny.fresh(), 0).params
  tester = evaluation.Tester(model, tasks.get(tiny.TASK), 6, 8, 16, devices.first(count))
  keys = jax.random.split(jax.random.key(0), (2, 16))
  shared.append(tester._through_all(params, 6, keys).units.sharding.is_fully_replicated)
  return tester.test(params, length=6, batches=2)

def trace(**options):
  config = families.resolve(Config(units=3, seeds=4, batch_size=2, max_length=4, **options))
  trainer = Trainer(config, models.build(config), devices=devices.first())
  jax.eval_shape(trainer.validate_population, trainer.abstract())
  return jax.eval_shape(trainer.train_population, trainer.abstract()).loss.shape

def sums(key, items, length):
  add = lambda i, total: (total + items[i]) % 2
  total = jax.lax.fori_loop(0, len(items), add, jnp.zeros(items.shape[1]))
  last = jnp.arange(len(items)) == length - 1
  return tasks.Question(jnp.zeros_like(items), jnp.tile(total, (len(items), 1)), last)

shared = []
found = {'meshes': {f'{k} {b}': list(devices.mesh(k, b, devices.first()).shape.values())
                    for k, b in ((1, 1), (8, 1), (10, 1), (1, 64), (3, 2), (4, 2), (7, 5))},
         'tests': [{name: int(n) for name, n in test(count)._asdict().items()} for count in (1, 8)]}
found['shared'] = shared
tasks.register(tasks.Task('sums', 8, sums))
found['own loop'] = trace(task=('sums',))
devices.CHECK = True
for name in families.FAMILIES:
  found[name] = trace(model=name, task=('serial_recall', 'sequence_comparison'))
found['restarts'] = trace(restart_every=2000)
for seeds, batch, counts in ((4, 1, (4,)), (4, 2, (8,)), (1, 4, (2, 4))):
  one, alone = train(seeds, batch, 1)
  for count in counts:
    many, several = train(seeds, batch, count)
    found[f'{seeds} {batch} {count}'] = {
        'difference': differ(one[:2], many[:2]), 'devices': [alone, several],
        'counts': differ(one[2], many[2])}
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


@pytest.mark.parametrize('seeds, batch, count', [(4, 1, 4), (4, 2, 8), (1, 4, 2), (1, 4, 4)])
def test_training_on_many_is_training_on_one(found, seeds, batch, count):
  """100 iterations; sums over a batch that is shared round differently, which training amplifies.

  The tolerance is that of a population against each of its seeds alone.
  """
  result = found[f'{seeds} {batch} {count}']
  assert result['devices'] == [1, count]
  assert result['difference'] < 1e-3
  assert result['counts'] == 0


@pytest.mark.parametrize('name', [*families.FAMILIES, 'restarts'])
def test_what_differs_from_device_to_device_is_added_up(found, name):
  """JAX's own check passes: nothing is taken for the same everywhere that is not."""
  assert found[name] == [4]


def test_a_task_may_start_a_loop_at_a_constant(found):
  """Which that check would refuse: it is off where programs of users run."""
  assert found['own loop'] == [4]


def test_tests_count_the_same(found):
  one, eight = found['tests']
  assert one == eight and one['sequences'] == 32


def test_devices_do_not_wait_for_each_other_in_a_test(found):
  """A test takes minutes; XLA ends a process in which a device waits that long for another."""
  assert found['shared'] == [True, False]


def test_what_lies_on_own_devices_is_not_gathered_from_others(monkeypatch):
  """Each of several processes may test on its own devices: sums over all would count twice."""
  monkeypatch.setattr(jax, 'process_count', lambda: 2)
  monkeypatch.setattr(multihost_utils, 'process_allgather', lambda tree, tiled: 'gathered')
  assert devices.fetch({'units': jnp.arange(3)})['units'].tolist() == [0, 1, 2]
  assert devices.fetch(np.array([True])) == 'gathered'
