"""What TensorBoard gets, read back from its files."""

import time

import pytest

from maes_jax.training.board import Board
from tests.reliability import remains


def test_what_was_flushed_is_there(tmp_path):
  """Before anything is closed: a kill may come."""
  board = Board(tmp_path, first=1)
  board.add('loss', .5, 100)
  board.add('loss', .25, 200)
  board.flush()
  assert remains.shown(tmp_path) == {('loss', 100): .5, ('loss', 200): .25}
  board.close()


def test_a_run_taken_up_hides_what_it_writes_anew(tmp_path, monkeypatch):
  """Every process has a file of its own, were it within the same second."""
  for process, (first, value) in enumerate(((1, .5), (101, .25))):
    monkeypatch.setattr('os.getpid', lambda process=process: process)
    board = Board(tmp_path, first)
    board.add('loss', value, first + 99)
    board.add('loss', value, first + 199)
    board.close()
  assert remains.shown(tmp_path) == {('loss', 100): .5, ('loss', 200): .25, ('loss', 300): .25}


def test_a_record_cut_off_by_a_kill_is_left_out(tmp_path):
  board = Board(tmp_path, first=1)
  board.add('loss', .5, 100)
  board.close()
  (path,) = tmp_path.iterdir()
  whole = path.read_bytes()
  for missing in (1, 5, 20):
    path.write_bytes(whole[:-missing])
    assert remains.shown(tmp_path) == {}


def read(path):
  return [(event.step, event.wall_time) for event in remains._events(path.read_bytes())]


@pytest.mark.parametrize('back', [1., 86_400.])
def test_a_clock_that_was_set_back(tmp_path, monkeypatch, back):
  """What a run writes after it is shown after what it wrote before, and at later times."""
  now = time.time()
  for clock, first in ((now, 1), (now - back, 201), (now - 2 * back, 301)):
    monkeypatch.setattr(time, 'time', lambda clock=clock: clock)
    board = Board(tmp_path, first)
    monkeypatch.setattr(time, 'monotonic', lambda before=time.monotonic: before() + 100)
    for step in (first + 99, first + 199):
      board.add('loss', first, step)
    board.close()
  assert remains.shown(tmp_path) == {
      ('loss', 100): 1, ('loss', 200): 1, ('loss', 300): 201, ('loss', 400): 301,
      ('loss', 500): 301}
  events = [event for path in sorted(tmp_path.iterdir()) for event in read(path)]
  times = [at for _, at in events]
  assert times == sorted(set(times))
  assert times[-1] > now + 200


@pytest.mark.parametrize(
    'content', [b'', b'\x05', b'\xff' * 40, b'\x04' + 7 * b'\0' + 12 * b'\xff'])
def test_a_damaged_file_of_an_older_process(tmp_path, content):
  older = tmp_path / f'events.out.tfevents.{time.time() + 1000:.6f}.host.1'
  for path in (older, tmp_path / 'events.out.tfevents.mine'):
    path.write_bytes(content)
  Board(tmp_path, 1).close()
  first, second = sorted(tmp_path.glob('events.out.tfevents.*.*'))
  assert first == older
  assert [step for step, _ in read(second)] == [0, 1]


def test_each_has_a_file_of_its_own(tmp_path):
  """Two in one process and one second must not write over each other."""
  for step in (100, 200, 300):
    board = Board(tmp_path, step)
    board.add('loss', .5, step)
    board.close()
  assert remains.shown(tmp_path).keys() == {('loss', 100), ('loss', 200), ('loss', 300)}
