"""A baseline of the paper's matrix: trained, its best chosen, tested in two sizes of memory."""

from experiments.paper import claims
from experiments.paper import execute
from experiments.paper import runs
from experiments.shared import records


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
