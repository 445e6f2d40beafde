"""The log of a run: one row a step and model, whole, in order, each once."""

import json
import os

import numpy as np
import pytest

from maes_jax import errors
from maes_jax import evaluation
from maes_jax.training import adam
from maes_jax.training import metrics
from maes_jax.training.trainer import NEVER
from maes_jax.training.trainer import TrainState
from maes_jax.training.workdir import Workdir


@pytest.fixture
def workdir(tmp_path):
  return Workdir(tmp_path)


def row(iteration, model=0, loss=.5):
  return {'iteration': iteration, 'model': model, 'loss': loss}


def write(workdir, iteration, rows):
  log = metrics.Log(workdir, iteration)
  log.write(None, rows)
  log.close()


def state(iterations, loss, skipped=0):
  zero = np.zeros(len(iterations), int)
  counts = adam.State(count=zero, mu={}, nu={}, skipped_in_a_row=zero, skipped=zero + skipped)
  never = np.full(len(iterations), NEVER)
  return TrainState(
      params={}, optimizer=counts, seed=np.arange(len(iterations)), iteration=np.array(iterations),
      first_batch=never, converged=never, loss=np.array(loss),
      validation_loss=np.array([.25] * len(iterations)))


def test_reads_back_what_was_written(workdir):
  rows = [row(100, 0, .5), row(100, 1, 1e-7)]
  write(workdir, 0, rows)
  assert metrics.read(workdir.metrics) == rows
  assert [json.loads(line) for line in workdir.metrics.read_text().splitlines()] == rows


def test_flushed_rows_survive_a_kill(workdir):
  log = metrics.Log(workdir, 0)
  log.write(None, [row(100)])
  log.flush()
  assert metrics.read(workdir.metrics) == [row(100)]
  log.close()


def test_resume_drops_rows_that_will_be_written_anew(workdir):
  write(workdir, 0, [row(100, loss=.1), row(200, loss=.2), row(300, loss=.3)])
  write(workdir, 200, [row(300, loss=.4)])
  assert [r['loss'] for r in metrics.read(workdir.metrics)] == [.1, .2, .4]


def test_resume_keeps_all_rows_up_to_where_it_stands(workdir):
  rows = [row(100, 0), row(100, 1), row(200, 1)]
  write(workdir, 0, rows)
  write(workdir, 200, [])
  assert metrics.read(workdir.metrics) == rows


@pytest.mark.parametrize('half', ['{"iterat', '{"iteration": 200, "model": 0}', '\x00\x00'])
def test_a_half_written_last_line_is_left_out(workdir, half):
  write(workdir, 0, [row(100)])
  with workdir.metrics.open('a') as file:
    file.write(half)
  assert metrics.read(workdir.metrics) == [row(100)]
  write(workdir, 100, [row(200)])
  assert metrics.read(workdir.metrics) == [row(100), row(200)]


@pytest.mark.parametrize('line', ['{"iterat', '[]', '3', '{"model": 0}', '{"iteration": "x"}', ''])
def test_a_damaged_line_is_an_error_that_names_it(workdir, line):
  write(workdir, 0, [row(100), row(200)])
  first, _ = workdir.metrics.read_text().splitlines()
  content = f'{first}\n{line}\n{first}\n'
  workdir.metrics.write_text(content)
  with pytest.raises(errors.UserError, match=r'metrics\.jsonl, line 2 is damaged'):
    metrics.Log(workdir, 200)
  assert workdir.metrics.read_text() == content


class TestDigest:

  @pytest.fixture
  def digest(self, workdir):
    """Of a log with two rows; a third was written after it."""
    log = metrics.Log(workdir, 0)
    log.write(None, [row(100), row(200)])
    log.flush()
    digest = log.digest()
    log.write(None, [row(300)])
    log.close()
    return digest

  def test_rows_up_to_there_are_kept(self, workdir, digest):
    metrics.Log(workdir, 200, digest).close()
    assert metrics.read(workdir.metrics) == [row(100), row(200)]

  @pytest.mark.parametrize('wrong', [
      [row(100)], [row(200)], [row(100), row(200, loss=.4)], [row(100), row(200), row(200, 1)], []])
  def test_other_rows_are_refused_and_left_as_they_are(self, workdir, digest, wrong):
    text = ''.join(json.dumps(r) + '\n' for r in wrong)
    workdir.metrics.write_text(text)
    with pytest.raises(errors.UserError, match='does not hold what was logged up to iteration 200'):
      metrics.Log(workdir, 200, digest)
    assert workdir.metrics.read_text() == text


@pytest.mark.parametrize('line', ['[' * 200_000, '{"iteration": [' * 50_000], ids=['[', '{'])
def test_a_line_that_is_nested_without_end_is_damage(workdir, line):
  workdir.metrics.write_text(line + '\n')
  with pytest.raises(errors.UserError, match=r'line 1 is damaged .*nested too deeply'):
    metrics.read(workdir.metrics)


def test_a_line_without_end_is_damage(workdir):
  write(workdir, 0, [row(100)])
  os.truncate(workdir.metrics, 2**42)  # Takes no room on the disk, but would in memory.
  with pytest.raises(errors.UserError, match=r'line 2 is damaged \(it has no end'):
    metrics.read(workdir.metrics)


def test_a_log_that_is_no_file_is_an_error(workdir):
  workdir.metrics.symlink_to('/dev/zero')
  with pytest.raises(errors.UserError, match='cannot be read: no regular file'):
    metrics.read(workdir.metrics)


def test_an_empty_log_has_no_rows(workdir):
  write(workdir, 0, [])
  assert metrics.read(workdir.metrics) == []


class TestRows:

  def test_one_for_each_model_that_trained(self):
    before, after = state([100, 100, 300], [.5, .5, 0.]), state([200, 100, 400], [.1, .5, .2])
    rows = metrics.rows(before, after, {}, np.zeros(3, bool), {})
    assert rows == [row(200, 0, .1), row(400, 2, .2)]

  def test_validation_of_the_models_that_were_due(self):
    before, after = state([0, 0], [1., 1.]), state([100, 100], [.5, .5])
    counts = {'odd_recall': evaluation.Counts(
        *map(np.array, ([[4, 4], [4, 4]], [[4, 2], [4, 4]], [[4, 4], [4, 4]], [[3, 2], [4, 4]],
                        [[1, 1], [1, 1]], [[1, 0], [1, 1]])))}
    first, second = metrics.rows(before, after, counts, np.array([True, False]), {})
    assert second == row(100, 1)
    assert first == {**row(100, 0), 'validation_loss': .25, 'bit_accuracy/odd_recall': .75,
                     'item_accuracy/odd_recall': .625, 'sequence_accuracy/odd_recall': .5}

  def test_a_validation_in_which_nothing_is_asked_is_told(self):
    """Whatever share of nothing is right is no number."""
    nothing = evaluation.Counts(*np.zeros((len(evaluation.Counts._fields), 1, 2), int))
    with pytest.raises(errors.UserError, match=r"'odd_recall' asks nothing .* validation_length"):
      metrics.rows(state([0], [1.]), state([100], [.5]), {'odd_recall': nothing}, np.ones(1, bool),
                   {})

  def test_skipped_updates_are_counted_by_window(self):
    before, after = state([100, 100], [1., 1.], [3, 0]), state([200, 200], [.5, .5], [5, 0])
    first, second = metrics.rows(before, after, {}, np.zeros(2, bool), {})
    assert first == {**row(200, 0), 'skipped': 2}
    assert second == row(200, 1)

  def test_numbers_are_plain_json(self):
    (found,) = metrics.rows(state([0], [1.]), state([100], [.5]), {}, np.zeros(1, bool), {})
    assert json.loads(json.dumps(found)) == found
