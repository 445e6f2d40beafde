"""Wishes to stop: who is asked, and what becomes of one that comes too late."""

import os
import signal
import threading

import pytest

from maes_jax.training import interrupts


@pytest.fixture(autouse=True)
def process(monkeypatch):
  """This process as it was before anything was asked of it."""
  monkeypatch.setattr(interrupts, '_process', interrupts._Process())


def handlers():
  return [signal.getsignal(number) for number in interrupts.SIGNALS]


@pytest.mark.parametrize('number', interrupts.SIGNALS)
def test_a_signal_is_a_wish_and_the_next_one_is_not(number):
  before = handlers()
  with pytest.raises(interrupts.Interrupted, match='done and saved'), interrupts.graceful() as wish:
    os.kill(os.getpid(), number)
    assert wish.stop
    assert signal.getsignal(number) == before[interrupts.SIGNALS.index(number)]
  assert handlers() == before


def test_within_another_the_wish_is_the_same():
  with interrupts.graceful() as outer, interrupts.graceful() as inner:
    assert inner is outer


def test_outside_the_main_thread_there_are_no_handlers():
  before, found = handlers(), []

  def work():
    with interrupts.graceful() as wish:
      found.append((wish.stop, handlers()))

  with interrupts.graceful():  # A run in the main thread is another's.
    during = handlers()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
  assert found == [(False, during)]
  assert handlers() == before


def test_a_program_that_watches_keeps_its_handlers():
  before = handlers()
  interrupts.watched_by_program()
  assert interrupts.ask() is None
  with pytest.raises(interrupts.Interrupted), interrupts.graceful() as wish:
    assert handlers() == before
    assert interrupts.ask() is wish
    assert wish.stop
  assert interrupts.ask() is None


def test_a_wish_is_seen_where_nothing_is_to_be_saved():
  wish = interrupts.Wish()
  with wish.nothing_to_save('not begun'):
    assert wish.at_once == 'not begun'
  assert wish.at_once == ''
  wish.stop = True
  with pytest.raises(interrupts.Interrupted, match='not begun'), wish.nothing_to_save('not begun'):
    pytest.fail('it went on')


def test_an_error_is_told_rather_than_the_wish():
  with pytest.raises(OSError, match='full'), interrupts.graceful() as wish:
    wish.stop = True
    raise OSError('full')
