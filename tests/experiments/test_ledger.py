"""The ledger says what the records say."""

import json
import pathlib

import pytest

from experiments.paper import claims
from experiments.paper import ledger
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
  assert (ROOT / 'RESULTS.md').read_text() == ledger.render(ROOT / 'results', ROOT / 'checkpoints')


def test_readme_table_is_what_the_records_give():
  text = (ROOT / 'README.md').read_text()
  assert text == ledger.into_readme(text, ROOT / 'results')


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


def test_groups_bring_the_encoders_they_need_and_put_them_first():
  names = [run.name for run in runs.select(['E_J-odd_recall', 'E_S'])]
  assert set(names) == {'E_S', 'E_J', 'E_J-odd_recall'}
  assert names.index('E_J') < names.index('E_J-odd_recall')


def test_unknown_parts_name_the_closest():
  with pytest.raises(errors.UserError, match="did you mean 'table1'"):
    runs.select(['tabel1'])


def test_every_claim_rests_on_known_runs():
  assert {name for claim in ledger.CLAIMS for name in claim.runs} <= set(runs.RUNS)
