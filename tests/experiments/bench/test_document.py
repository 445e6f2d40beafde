"""The document says what the record says, and the verdicts are those of the bounds."""

import json
import pathlib

import pytest

from experiments.bench import accelerator
from experiments.bench import document
from experiments.bench import rows
from experiments.bench import targets
from maes_jax import errors

ROOT = pathlib.Path(__file__).parents[3]


def span(value):
  return {'median': value, 'low': value / 2, 'high': value * 2}


def side(rate, **more):
  return {'units': 1, 'seconds': [1 / rate], 'rate': span(rate), 'compile_seconds': 4.25, **more}


def row(rate, ratio, peer=rows.EAGER):
  return {'what': 'some work', 'unit': 'iterations', 'equal_within': 3e-7,
          'sides': {'ours': side(rate, losses=[.75, .5]), peer: side(rate / ratio)},
          'ratios': {peer: span(ratio)}, 'works': {'on paper': {'flops': 4., 'bytes': 8.}}}


@pytest.fixture
def record():
  """A limit of 1000 operations a second and plenty of bytes; a row counts 4 operations."""
  limit = {'cores': 2, 'flops_per_second': 1e3, 'cache_bytes_per_second': 1e9,
           'shared_bytes_per_second': 1e9}
  rates = {'train_1_1': 10., 'train_1_8': 20., 'train_1_32': 50., 'train_1_128': 45.}
  return {
      'machine': 'two cores', 'versions': {'jax': '1'}, 'repeats': 3, 'seconds': 1234,
      'limits': {'all_cores': limit},
      'rows': {name: row(rate, 300. if name == 'train_1_32' else 59.)
               for name, rate in rates.items()},
      'launch': {'cold_seconds': span(12.), 'warm_seconds': span(7.)}}


def verdicts(record):
  return {target.what: target.judge(record) for target in targets.TARGETS}


def test_the_document_is_what_the_record_gives():
  path, record = ROOT / 'BENCHMARKS.md', document.read(ROOT / 'results')
  results = ROOT / 'results'
  more = document.read_choices(results), list(accelerator.section(results))
  found = path.read_text() if path.exists() else None
  assert found == (None if record is None else document.render(record, *more))


@pytest.mark.parametrize(('what', 'value', 'verdict'), [
    ('training, batch 1, K = 32, against PyTorch', 300, targets.GOAL),
    ('training, batch 1, K = 1, against PyTorch', 59, targets.ENOUGH),
    ('launch to first metric, empty cache', 12, targets.ENOUGH),
    ('launch to first metric, filled cache', 7, targets.MISSED),
    ('cost per model, its fall from K = 1 to K = 128', 4.5, targets.GOAL),
    ('cost per model, its smallest fall from one K to the next', .9, targets.MISSED),
    ('share of the limit, training K = 32', 20, targets.ENOUGH),
    ('LSTM training, against `torch.nn.LSTM`', None, targets.OPEN),
    ('`make demo` after the install, empty cache', None, targets.OPEN),
])
def test_verdicts(record, what, value, verdict):
  assert verdicts(record)[what] == (pytest.approx(value) if value else None, verdict)


def test_every_target_is_measured_by_some_part():
  """A target whose row or peer has another name could never be reached."""
  work = {'flops': 1., 'bytes': 1.}
  measured = {name: row(1., 1.) | {'ratios': dict.fromkeys(part.peers, span(1.)),
                                   'works': {part.counted: work}}
              for name, part in rows.ROWS.items()}
  limit = {'flops_per_second': 1., 'cache_bytes_per_second': 1., 'shared_bytes_per_second': 1.}
  whole = {'rows': measured, 'limits': {'all_cores': limit}, 'demo': {'seconds': 1.},
           'launch': {'cold_seconds': span(1.), 'warm_seconds': span(1.)}}
  assert targets.OPEN not in {verdict for _, verdict in verdicts(whole).values()}


def test_lines_hold_the_record_s_numbers(record):
  text = document.render(record)
  assert ('| some work | 50 [25–100] iterations | PyTorch | 0.167 [0.0833–0.333] '
          '| 300 [150–600] × | 3e-07 | 0.750 → 0.500 | 4.2, 4.2 | 20 % |') in text


@pytest.mark.parametrize(('looks', 'said', 'quiet'), [
    ([(.2, .01), (.22, .03)], 'done 2 times between the parts, took 0.21 [0.2–0.22] s; others had '
     '2% of all cores then.', True),
    ([(.2, 0.), (.2, 0.), (.25, 0.)], '3 times between the parts, took 0.2 [0.2–0.25] s; ', False),
    ([(.2, .06), (.2, .06)], 'others had 6% of all cores then.', False),
    ([(.2, None)], 'done 1 times between the parts, took 0.2 [0.2–0.2] s.', True)])
def test_the_document_says_whether_the_machine_was_quiet(record, looks, said, quiet):
  record['quiet'] = [{'seconds': seconds, 'others': others} for seconds, others in looks]
  text = document.render(record)
  assert said in text and ('**The machine was not quiet**' in text) != quiet
  choices = {**record, 'date': '', 'choices': {}}
  assert document.render(record, choices).count(said) == 2


def test_parts_that_were_not_measured_are_left_out(record):
  text = document.render({**record, 'rows': {'train_1_1': record['rows']['train_1_1']}})
  assert text.count('| some work ') == 1 and text.count(targets.OPEN) > 5
  del record['limits']
  assert '| 4.2, 4.2 |\n' in document.render(record)


def test_a_damaged_record_is_named_and_left_alone(tmp_path):
  for text in ('{', '[]', json.dumps({'machine': ''})):
    (tmp_path / 'benchmark.json').write_text(text)
    with pytest.raises(errors.UserError, match=r'benchmark\.json is damaged'):
      document.read(tmp_path)
    assert (tmp_path / 'benchmark.json').read_text() == text


def test_without_a_record_nothing_is_written(tmp_path):
  document.write(tmp_path, tmp_path / 'B.md')
  assert not any(tmp_path.iterdir())


def test_the_document_is_written(record, tmp_path):
  (tmp_path / 'benchmark.json').write_text(json.dumps(record))
  document.write(tmp_path, tmp_path / 'B.md')
  assert (tmp_path / 'B.md').read_text() == document.render(record)
