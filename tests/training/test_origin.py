"""What computed which part of a run, and the line that says that it changed."""

import json
import os
import types

import pytest

from maes_jax.training import origin
from maes_jax.training.workdir import Workdir

CPU = types.SimpleNamespace(platform='cpu', device_kind='cpu')
GPU = types.SimpleNamespace(platform='gpu', device_kind='NVIDIA H100')


@pytest.fixture
def note(tmp_path, caplog, monkeypatch):
  """Takes a run up; returns the warning, if any."""
  def take_up(iteration, used, cores=4):
    monkeypatch.setattr(origin, '_cores', lambda: cores)
    caplog.clear()
    origin.note(Workdir(tmp_path), iteration, used)
    return caplog.text
  return take_up


def parts(folder):
  return [(part['iteration'], part['devices']) for part in
          json.loads((folder / 'devices.json').read_text())]


def test_the_same_devices_are_no_news(note, tmp_path):
  assert note(0, [CPU, CPU]) == ''
  before = (tmp_path / 'devices.json').stat().st_mtime_ns
  assert note(500, [CPU, CPU]) == ''
  assert (tmp_path / 'devices.json').stat().st_mtime_ns == before
  assert json.loads((tmp_path / 'devices.json').read_text()) == [
      {'iteration': 0, 'devices': 2, 'kind': 'cpu', 'cores': 4}]


@pytest.mark.parametrize(('used', 'cores', 'words'), [
    ([CPU], 4, 'goes on with 1 x cpu on 4 cores'),
    ([CPU, CPU], 2, 'goes on with 2 x cpu on 2 cores'),
    ([GPU, GPU], 2, 'goes on with 2 x NVIDIA H100;')])
def test_others_are(note, tmp_path, used, cores, words):
  note(0, [CPU, CPU])
  warning = note(500, used, cores)
  assert 'was trained on 2 x cpu on 4 cores up to iteration 500' in warning
  assert words in warning
  assert parts(tmp_path) == [(0, 2), (500, len(used))]
  assert note(700, used, cores) == ''


def test_a_part_that_saved_nothing_does_not_count(note, tmp_path):
  """Killed before its first save, it left the run as it was."""
  note(0, [CPU, CPU])
  assert note(500, [CPU])
  assert note(500, [CPU, CPU]) == ''
  assert parts(tmp_path) == [(0, 2)]
  assert note(0, [CPU]) == ''
  assert parts(tmp_path) == [(0, 1)]


@pytest.mark.parametrize('text', [None, '', '[]', '{}', '3', 'null', '[3]', '[{"iteration": "0"}]',
                                  '[' * 100_000, '[{"iteration": 0, "devices": 1}]'])
def test_a_run_without_a_note_goes_on(note, tmp_path, text):
  if text is not None:
    (tmp_path / 'devices.json').write_text(text)
  assert note(500, [CPU]) == ''
  assert parts(tmp_path) == [(500, 1)]


def test_what_stands_there_instead_does_not_hang(tmp_path):
  os.mkfifo(tmp_path / 'devices.json')
  assert origin._read(tmp_path / 'devices.json') == []


def test_cores_are_those_of_this_process():
  assert 1 <= origin._cores() <= os.cpu_count()
