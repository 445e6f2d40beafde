"""What others had of the machine while a fixed piece of work was done."""

import pytest

from experiments.bench import quiet


@pytest.fixture
def machine(monkeypatch, tmp_path):
  """A machine whose ticks are scripted; ours take 0.02 seconds of each look."""
  ours = iter([(1., 1.), (1.01, 1.01)])
  monkeypatch.setattr(quiet.time, 'sleep', lambda seconds: None)
  monkeypatch.setattr(quiet.os, 'times', lambda: next(ours))
  monkeypatch.setattr(quiet.os, 'sysconf', lambda name: 100)
  monkeypatch.setattr(quiet, '_CPUS', tmp_path / 'stat')

  def between(*ticks):
    """These are used, by column, while the work is done."""
    def work(run):
      (tmp_path / 'stat').write_text(f'cpu  {" ".join(map(str, ticks))}\ncpu0 1 2\n')
      return .25, None
    (tmp_path / 'stat').write_text(f'cpu  {"0 " * 10}\n')
    monkeypatch.setattr(quiet.timing, 'seconds', work)
  return between


@pytest.mark.parametrize(('ticks', 'others'), [
    ((2, 0, 0, 6, 2, 0, 0, 0, 0, 0), 0),  # Ours alone; the rest idles or waits for a disk.
    ((3, 1, 1, 5, 0, 0, 0, 0, 3, 1), .3),  # A guest's time is among that of its user.
    ((2, 0, 0, 3, 0, 0, 0, 5, 0, 0), .5)])  # Half is stolen.
def test_all_that_neither_idled_nor_was_ours_went_to_others(machine, ticks, others):
  machine(*ticks)
  assert quiet.look() == {'seconds': .25, 'others': pytest.approx(others)}


def test_what_a_system_does_not_say_is_left_open(machine, monkeypatch, tmp_path):
  machine()
  monkeypatch.setattr(quiet, '_CPUS', tmp_path / 'none')
  assert quiet.look() == {'seconds': .25, 'others': None}
