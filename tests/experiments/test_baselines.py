"""A baseline of the paper's matrix: trained, its best chosen, tested in two sizes of memory."""

import pathlib

import pytest

from experiments.paper import claims
from experiments.paper import execute
from experiments.paper import runs
from experiments.shared import records
from maes_jax import errors

ROOT = pathlib.Path(__file__).parents[2]


def test_a_population_is_trained_chosen_from_and_tested_in_both_memories(tmp_path):
  run = runs.RUNS['ntm-serial_recall']
  settings = execute.Settings(
      tmp_path / 'runs', tmp_path / 'results', seeds=2, length=20, memory=30, batches=1,
      max_iterations=100)
  execute.execute(run, settings)
  record = records.read(settings.results, run.name)
  assert claims.published(record)
  assert [seed['seed'] for seed in record['seeds']] == [runs.FIRST_SEED, runs.FIRST_SEED + 1]
  for seed in record['seeds']:
    assert [(tried['length'], tried['memory']) for tried in seed['choice']] == [
        (100, 128), (100, 202)]
    assert [claims.at(seed, memory)['memory'] for memory in ('', claims.DOUBLE)] == [30, 42]
    assert set(claims.at(seed, '')['curve']) == {'20'}
    best = seed is claims.best(record)  # A curve in 2 L + 2 addresses has the best alone.
    assert set(claims.at(seed, claims.DOUBLE)['curve']) == ({'20'} if best else set())


def test_an_encoder_of_which_there_is_a_record_alone_is_asked_for(tmp_path):
  settings = execute.Settings(tmp_path, ROOT / 'results')
  with pytest.raises(errors.UserError, match=r'takes over E_J, of which there is a record in .* '
                     r'but no run in .*; give the --workdir of that run, or remove the record'):
    execute.check(runs.RUNS['E_J-odd_recall'], settings)
  (tmp_path / 'E_J').mkdir()
  execute.check(runs.RUNS['E_J-odd_recall'], settings)
