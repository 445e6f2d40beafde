"""Ctrl-C and SIGTERM as a wish: finish the window, save, stop.

An exception that a signal raises at any line can be swallowed by whoever called that line, or taken
for a damaged file. So nothing is raised: a wish is noted, and looked at where a run can stop.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import signal
import threading

from maes_jax import errors

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(errors.UserError):
  """The run was asked to stop; its message says what was saved."""


@dataclasses.dataclass
class Wish:
  """Whether somebody asked the run to stop."""
  stop: bool = False
  at_once: str = ''  # What to say where nothing would be saved, so that there is no need to wait.

  @contextlib.contextmanager
  def nothing_to_save(self, message: str) -> Iterator[None]:
    """Here a program that watches for signals itself may end at once, with this message.

    Raises:
      Interrupted: the wish is there already.
    """
    self.at_once = message
    try:
      if self.stop:  # Looked at after the message is there: who sets it looks for one after that.
        raise Interrupted(message)
      yield
    finally:
      self.at_once = ''


@dataclasses.dataclass
class _Process:
  """What signals mean to this process now."""
  wish: Wish | None = None  # Of what is under way and can be asked to stop.
  watched: bool = False  # Whether the program watches for signals itself and calls `ask`.
  lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)


_process = _Process()


def watched_by_program():
  """From now on signals are the program's: it calls `ask` when one comes."""
  _process.watched = True


def ask() -> Wish | None:
  """Asks what is under way to stop; None where nothing is that could be asked."""
  with _process.lock:
    if _process.wish:
      _process.wish.stop = True
    return _process.wish


@contextlib.contextmanager
def graceful() -> Iterator[Wish]:
  """Yields a `Wish` that a first signal sets; a second one does what it always did.

  Within another such context the wish is the outer one's. Outside the main thread, where Python
  allows no handlers, nobody sets it.

  Raises:
    Interrupted: on leaving, where a wish came too late to be looked at.
  """
  if threading.current_thread() is not threading.main_thread():
    yield Wish()
  elif _process.wish:
    yield _process.wish
  else:
    with contextlib.nullcontext() if _process.watched else _handlers():
      yield from _noted()


def _noted():
  _process.wish = wish = Wish()
  try:
    yield wish
  finally:
    with _process.lock:  # A wish comes before this, or finds none to be asked.
      _process.wish = None
  if wish.stop:
    raise Interrupted('stopped when all was done and saved')


@contextlib.contextmanager
def _handlers():
  """Handlers of our own for as long as something can be asked to stop."""
  before = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}

  def on_signal(number, frame):
    del frame
    if _process.wish:
      _process.wish.stop = True
    signal.signal(number, before[number])

  for number in SIGNALS:
    signal.signal(number, on_signal)
  try:
    yield
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
