"""The ledger says what the records say."""

import json
import pathlib
import shutil

import pytest

from experiments.paper import claims
from experiments.paper import document
from experiments.paper import execute
from experiments.paper import published
from experiments.paper import runs
from experiments.shared import records
from maes_jax import errors

ROOT = pathlib.Path(__file__).parents[2]


def seed(converged, right=8, **more):
  test = {'serial_recall': {'bits': 8, 'bits_right': right, 'curve': {'500': right / 8}}}
  return {'converged': converged, 'test': test, 'best_loss': 0.5, 'loss': 0.5, **more}


def record(*seeds):
  return {'seeds': list(seeds)}


def test_results_are_what_the_records_give():
  text = (ROOT / 'RESULTS.md').read_text()
  assert text == document.render(ROOT / 'results', ROOT / 'checkpoints')


def test_readme_table_is_what_the_records_give():
  text = (ROOT / 'README.md').read_text()
  assert text == document.into_readme(ROOT / 'README.md', ROOT / 'results')


def test_converging_twice_as_fast_in_nine_of_ten_seeds_is_better():
  good = record(*[seed(500)] * 9, seed(None))
  assert claims.converges(1000)(good).verdict == claims.BETTER


def test_one_wrong_bit_in_two_of_ten_seeds_is_not_reproduced():
  assert claims.converges(1000)(record(*[seed(500)] * 8, *[seed(500, right=7)] * 2)).verdict == (
      claims.NOT)


def test_slower_than_the_paper_is_not_reproduced():
  assert claims.converges(1000)(record(*[seed(1200)] * 10)).verdict == claims.NOT


def test_failure_that_the_paper_saw_is_reproduced_only_if_seeds_fail():
  assert claims.fails(record(*[seed(None, 4)] * 10)).verdict == claims.SAME
  assert claims.fails(record(*[seed(500)] * 10)).verdict == claims.NOT


def test_one_seed_of_ten_that_succeeds_leaves_a_failure_a_failure():
  assert claims.fails(record(seed(500), *[seed(None, 4)] * 9)).verdict == claims.SAME
  assert claims.fails(record(*[seed(500)] * 2, *[seed(None, 4)] * 8)).verdict == claims.NOT


def test_loss_of_a_control_must_stay_high_in_every_seed():
  assert claims.stays_above(0.4)(record(seed(None), seed(None))).verdict == claims.SAME
  assert claims.stays_above(0.4)(record(seed(None), seed(None, best_loss=.1))).verdict == claims.NOT


def test_validations_at_low_loss_must_all_be_perfect():
  whole = record(seed(500, validations=[[500, 0.5, 0.7], [600, 0.01, 1.0]]))
  assert claims.accuracy_implied(whole).verdict == claims.SAME
  broken = record(seed(500, validations=[[600, 0.009, 0.999]]))
  assert claims.accuracy_implied(broken).verdict == claims.NOT


def test_a_claim_without_its_record_is_open():
  claim = claims.Claim('', '', '', ('E_S',), claims.fails)
  assert claim.judge({}).verdict == claims.OPEN


@pytest.mark.parametrize('text', ['{', '[]', json.dumps({'name': 'E_S'})])
def test_a_damaged_record_is_named(tmp_path, text):
  (tmp_path / 'E_S.json').write_text(text)
  with pytest.raises(errors.UserError, match=r'E_S\.json is damaged'):
    records.read(tmp_path, 'E_S')
  assert (tmp_path / 'E_S.json').read_text() == text


@pytest.mark.parametrize('text', ['', '{"verdicts": [', '{"task": "x", "verdicts": []}'])
def test_a_damaged_proof_is_named(tmp_path, text):
  (tmp_path / 'E_J').mkdir()
  path = tmp_path / 'E_J' / 'proof-serial_recall.json'
  path.write_text(text)
  with pytest.raises(errors.UserError, match=f'^{path} .*; (make it again|give a file)'):
    document.render(ROOT / 'results', tmp_path)


@pytest.mark.parametrize('change, line', [
    ({'radius': .3}, 'nothing is proved if every number is off by 0.3'),
    ({'certificate': {'margin': 99}}, 'the certificate proves nothing about this model'),
    ({'status': 'refuted'}, "a file says 'refuted' and has what makes a model certified")])
def test_a_proof_that_does_not_hold_is_not_written_about(tmp_path, change, line):
  shutil.copytree(ROOT / 'checkpoints' / 'E_S', tmp_path / 'E_S')
  path = tmp_path / 'E_S' / 'proof-serial_recall.json'
  said = json.loads(path.read_text())
  verdict = said['verdicts'][0]
  changes = {name: {**verdict[name], **value} if isinstance(value, dict) else value
             for name, value in change.items()}
  path.write_text(json.dumps({**said, 'verdicts': [{**verdict, **changes}]}))
  with pytest.raises(errors.UserError, match=line):
    document.render(ROOT / 'results', tmp_path)


def changed(folder, name='E_S', test=(), **changes):
  """A record of ours put into a folder with some changes, those of `test` in the last seed."""
  record = json.loads((ROOT / 'results' / f'{name}.json').read_text())
  for tested in record['seeds'][-1]['test'].values():
    tested.update(test)
  (folder / f'{name}.json').write_text(json.dumps(record | changes))


@pytest.mark.parametrize('test', [{'length': 40}, {'memory': 64}, {'sequences': 32}])
def test_what_was_tested_on_less_is_not_written_about(tmp_path, test):
  changed(tmp_path, test=test)
  with pytest.raises(errors.UserError, match=(
      r'E_S\.json is of tests on .*, and documents are about 1,000 in 1,024, 3,200 sequences;')):
    document.render(tmp_path, ROOT / 'checkpoints')


def test_a_run_in_parts_has_no_seconds(tmp_path):
  changed(tmp_path, train_seconds=None, seconds=None)
  changed(tmp_path, 'E_J', seconds=60.)
  text = document.render(tmp_path, ROOT / 'checkpoints')
  assert '| in parts | in parts |' in text
  assert 'The 1 runs of MAES with the recipe `short_first` took 1 minutes in all, ' in text
  assert 'added up, of 2: the others in parts; ' in text


class TestDone:
  """Of ten seeds that converged, 20,000 iterations at most, 3,200 sequences."""

  @pytest.mark.parametrize(('asked', 'done'), [
      ({}, True), ({'seeds': 11}, False), ({'seeds': 2, 'batches': 1, 'max_iterations': 5}, True),
      ({'max_iterations': 20_001}, True), ({'batches': 101}, False)])
  def test_a_record_of_no_less_is(self, tmp_path, asked, done):
    changed(tmp_path)
    assert execute.done(runs.RUNS['E_S'], execute.Settings(tmp_path, tmp_path, **asked)) == done

  def test_more_iterations_are_for_seeds_that_did_not_converge(self, tmp_path):
    name = 'E_J-hard_equality'
    changed(tmp_path, name)
    for most, done in ((20_000, True), (20_001, False)):
      settings = execute.Settings(tmp_path, tmp_path, max_iterations=most)
      assert execute.done(runs.RUNS[name], settings) == done

  @pytest.mark.parametrize('asked', [{'length': 40}, {'memory': 2002}])
  def test_tests_of_another_kind_need_another_folder(self, tmp_path, asked):
    changed(tmp_path)
    with pytest.raises(errors.UserError, match='is of tests with --length=1000 --memory=1024, not'):
      execute.done(runs.RUNS['E_S'], execute.Settings(tmp_path, tmp_path, **asked))

  @pytest.mark.parametrize('less', [{'max_iterations': 100}, {'batches': 1}])
  def test_less_does_not_replace_it(self, tmp_path, less):
    changed(tmp_path)
    run = runs.RUNS['E_S']
    with pytest.raises(errors.UserError, match='is of --seeds=10, --max_iterations=20000, '):
      execute.check(run, execute.Settings(tmp_path, tmp_path, seeds=11, **less))
    execute.check(run, execute.Settings(tmp_path, tmp_path, seeds=11))
    execute.check(run, execute.Settings(tmp_path, tmp_path, **less))  # It is done.


def test_groups_bring_the_encoders_they_need_and_put_them_first():
  names = [run.name for run in runs.select(['E_J-odd_recall', 'E_S'])]
  assert set(names) == {'E_S', 'E_J', 'E_J-odd_recall'}
  assert names.index('E_J') < names.index('E_J-odd_recall')


def test_new_seeds_are_proved_where_there_is_a_proof_and_tested_elsewhere():
  new = {name: run for name, run in runs.RUNS.items() if run.population}
  assert {name.split('/')[1] for name, run in new.items() if not run.is_proved} == {
      'E_J-sequence_equality'}
  assert {run.name for run in runs.select(['proofs'])} == {*new}
  recipe_chosen_on = {task: {2000 + 10 * encoder + k for encoder in range(100) for k in range(5)}
                      for task in ('odd_recall', 'sequence_comparison')}
  for run in new.values():
    first = run.options['seed']
    assert not recipe_chosen_on.get(run.options['task'][0], set()) & set(range(first, first + 5))


def test_tested_seeds_of_all_encoders_stand_in_one_row(tmp_path):
  for encoder, whole in ((3, 8), (25, 7)):
    name = f'proofs/E_J-sequence_equality/{encoder}'
    path = tmp_path / f'{name}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    seeds = seed(400), seed(600, right=whole), seed(None, right=4)
    path.write_text(json.dumps({**record(*seeds), 'name': name, 'config': {}, 'machine': '',
                                'versions': {}, 'seconds': 1}))
  assert document._tested_seeds(tmp_path)[-2] == (
      '| E_J-sequence_equality, 2 of 20 runs | 3 of 6 | 4 | 500 [400–600] | '
      '93.75% [50.00%–100.00%] |')
  assert document._tested_seeds(tmp_path / 'empty') == []
  assert document._proved_seeds(tmp_path / 'empty') == []


def test_unknown_parts_name_the_closest():
  with pytest.raises(errors.UserError, match="did you mean 'table1'"):
    runs.select(['tabel1'])


def test_every_claim_rests_on_known_runs():
  assert {name for claim in published.CLAIMS for name in claim.runs} <= set(runs.RUNS)


def baseline_seed(number, converged, right, double, choice=(8, 8), iterations=None):
  test = {'bits': 8, 'bits_right': right, 'sequences': 2, 'length': 1000, 'memory': 1024}
  test['double'] = {**test, 'bits_right': double, 'memory': 2002}
  return {'seed': number, 'converged': converged, 'iterations': iterations or converged or 100,
          'loss': .5, 'choice': [{'bits_right': some} for some in choice],
          'test': {'serial_recall': test}}


def baseline_record(*seeds, **config):
  return {'seeds': list(seeds), 'config': {'phase_bit': True, **config}}


def test_the_best_is_the_one_most_right_at_length_100_and_of_equals_the_first():
  first = baseline_seed(0, 50, 8, 8, choice=(7, 8))
  later = baseline_seed(1, 90, 4, 4)
  sooner = baseline_seed(2, 70, 5, 5)
  never = baseline_seed(3, None, 6, 6, iterations=60)
  assert claims.best(baseline_record(first, later, sooner)) is sooner
  assert claims.best(baseline_record(first, later, never)) is never


def test_a_baseline_is_judged_in_the_memory_of_the_published_test():
  judge = claims.baseline(100, 100.)
  right = judge(baseline_record(baseline_seed(4, 100, 4, 8), baseline_seed(5, None, 4, 4, (4, 4))))
  assert right.verdict == claims.SAME
  assert 'seed 4' in right.text and '1 of 2 seeds perfect' in right.text
  assert judge(baseline_record(baseline_seed(0, 100, 8, 7))).verdict == claims.NOT
  assert judge(baseline_record(baseline_seed(0, 80, 4, 8))).verdict == claims.BETTER


def test_what_was_trained_in_another_way_is_not_judged():
  earlier = seed(100, seed=0, validation_loss=0.)
  earlier['test']['serial_recall'] |= {'sequences': 2, 'length': 1000, 'memory': 1024}
  found = claims.baseline(100, 100.)({'seeds': [earlier], 'config': {}})
  assert found.verdict == claims.OTHER and '100.00% of bits' in found.text


@pytest.mark.parametrize('share, count', [(0., 10), (.5, 4), (.93, 320), (1., 32)])
def test_the_interval_is_wilsons(share, count):
  """The ends p at which share is 1.96 standard errors sqrt(p (1 - p) / n) away."""
  for end in claims.wilson(share, count):
    assert abs(abs(share - end) - 1.959964 * (max(end * (1 - end), 0) / count)**.5) < 1e-6
