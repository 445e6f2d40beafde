"""Shipped models are those of the records, and what is shipped is whole and has a verdict."""

import json
import pathlib

import jax
import numpy as np
import pytest

from experiments import ship
from experiments.shared import proofs
import maes_jax
from maes_jax import tasks
from maes_jax import trained

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize('name', ship.SHIPPED)
def test_a_shipped_model_is_the_best_of_its_record(name):
  record = json.loads((ROOT / 'results' / f'{name}.json').read_text())
  model = maes_jax.load(ROOT / 'checkpoints' / name)
  shipped, = (seed for seed in record['seeds'] if seed['seed'] == int(model.saved['seed']))
  assert model.iterations == shipped['iterations']
  np.testing.assert_allclose(float(model.saved['loss']), shipped['loss'], rtol=1e-6)
  converged = [seed['converged'] for seed in record['seeds'] if seed['converged'] is not None]
  assert shipped['converged'] == min(converged, default=None)


def test_a_model_is_taken_out_of_its_population_with_a_verdict(tmp_path):
  config = maes_jax.Config(task=('serial_recall',), seed=5, seeds=2, max_iterations=100)
  maes_jax.train(config, tmp_path / 'runs' / 'E_S', show_progress=False)
  ship.ship('E_S', tmp_path / 'runs', tmp_path / 'shipped')
  stale = tmp_path / 'shipped' / 'E_S' / 'proof-odd_recall.json'
  stale.write_text('of a model of before')
  ship.ship('E_S', tmp_path / 'runs', tmp_path / 'shipped')
  assert not stale.exists()
  best, alone = trained.load(tmp_path / 'runs' / 'E_S'), trained.load(tmp_path / 'shipped' / 'E_S')
  assert (alone.config.seeds, alone.config.seed, alone.index) == (1, 5 + best.index, 0)
  jax.tree.map(np.testing.assert_array_equal, alone.saved, best.saved)
  file = tmp_path / 'shipped' / 'E_S' / 'proof-serial_recall.json'
  assert proofs.of(alone, tasks.get('serial_recall'), file).status == 'refuted'
  assert str(tmp_path) not in file.read_text() + (file.parent / 'config.json').read_text()
