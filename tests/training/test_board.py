"""What TensorBoard gets, read back from its files."""

from experiments.reliability import remains
from maes_jax.training.board import Board


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


def test_each_has_a_file_of_its_own(tmp_path):
  """Two in one process and one second must not write over each other."""
  for step in (100, 200, 300):
    board = Board(tmp_path, step)
    board.add('loss', .5, step)
    board.close()
  assert remains.shown(tmp_path).keys() == {('loss', 100), ('loss', 200), ('loss', 300)}
