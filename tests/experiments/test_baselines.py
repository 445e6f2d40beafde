"""A baseline of the paper's matrix: trained, its best chosen, tested in two sizes of memory."""

import json
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


def test_an_encoder_is_that_of_its_record(tmp_path):
  """Not one of another run, nor of one that was cut off."""
  run, settings = runs.RUNS['E_J-odd_recall'], execute.Settings(tmp_path, ROOT / 'results')
  seeds = records.read(settings.results, 'E_J')['seeds']
  rows = [{'model': k, 'iteration': iteration} for k, seed in enumerate(seeds)
          for iteration in (100, seed['iterations'])]
  log = tmp_path / 'E_J' / 'metrics.jsonl'
  log.parent.mkdir()
  for logged in (rows[:-1], rows[:-2], [*rows, {'model': 10, 'iteration': 100}]):
    log.write_text(''.join(f'{json.dumps(row)}\n' for row in logged))
    with pytest.raises(errors.UserError, match='E_J is another one, or not at its end; give the'):
      execute.check(run, settings)
  log.write_text(''.join(f'{json.dumps(row)}\n' for row in rows))
  execute.check(run, settings)
