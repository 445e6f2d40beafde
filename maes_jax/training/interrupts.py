"""Ctrl-C and SIGTERM as a wish: finish the window, save, stop."""

import contextlib
import signal

from maes_jax import errors

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(errors.UserError):
  """The run was asked to stop and has saved where it stood."""


class Wish:
  """Whether somebody asked the run to stop."""

  def __init__(self):
    self.stop = False


@contextlib.contextmanager
def graceful():
  """Yields a `Wish` that a first signal sets; a second one does what it always did."""
  wish = Wish()
  before = {number: signal.getsignal(number) for number in _SIGNALS}

  def on_signal(number, frame):
    del frame
    wish.stop = True
    signal.signal(number, before[number])

  for number in _SIGNALS:
    signal.signal(number, on_signal)
  try:
    yield wish
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
