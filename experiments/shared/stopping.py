"""Ctrl-C and SIGTERM from the first moment of a binary on; imported before all that is heavy.

A thread is told of every signal by the runtime, even while the main thread is inside a compiler. A
first signal ends the program at once, in a line; what can be asked to stop, such as a training
run, is asked instead (`interrupts.graceful`). A second signal always ends it at once. Nothing
is raised in the main thread, where it might be swallowed, except in `unwinding`.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from typing import NoReturn

from maes_jax.training import interrupts

PATIENCE = 1.  # Seconds until the user is told what is waited for.
UNWINDING = 5.  # Seconds that leaving in order may take.

_installed, _unwinds = threading.Event(), threading.Event()


def install():
  """Watches for signals from now on; once, in the main thread."""
  reader, writer = socket.socketpair()
  writer.setblocking(False)
  signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
  sys.unraisablehook = _instead_of(sys.unraisablehook)
  interrupts.watched_by_program()
  _installed.set()
  listen()
  threading.Thread(target=_watch, args=(reader,), daemon=True).start()


def listen():
  """Has signals come here again, after something else has had them go elsewhere."""
  if _installed.is_set():
    for number in interrupts.SIGNALS:
      signal.signal(number, _on_signal)


@contextlib.contextmanager
def unwinding():
  """A first signal raises KeyboardInterrupt here: temporary files and processes are seen to."""
  _unwinds.set()
  try:
    yield
  finally:
    _unwinds.clear()


def _on_signal(number, frame):
  del number, frame
  if _unwinds.is_set():
    raise KeyboardInterrupt


def _instead_of(show):
  """What Python prints of an exception that nobody can catch; of a signal's there is no need."""
  def show_others(unraisable):
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
      show(unraisable)
  return show_others


def _watch(reader):
  _next(reader)
  if wish := interrupts.ask():
    if wish.at_once:
      leave(wish.at_once)
    if not _comes(reader, PATIENCE) and interrupts.ask():
      say('stopping as soon as what is under way can be saved; a second signal stops at once')
    _next(reader)
    leave('stopped at once; what was saved before is as it was')
  if _unwinds.is_set():
    _comes(reader, UNWINDING)
  leave('stopped')


def _next(reader):
  """Waits for a signal that asks to stop; other signals with handlers come here, too."""
  while reader.recv(1)[0] not in interrupts.SIGNALS:
    pass


def _comes(reader, seconds) -> bool:
  return bool(select.select([reader], [], [], seconds)[0])


def leave(message: str) -> NoReturn:
  """Ends this process now, from any thread, with an error."""
  say(f'error: {message}')
  os._exit(1)


def say(text: str):
  """Writes a line to stderr, if anybody reads it; from any thread, whatever the others do."""
  encoding = getattr(sys.stderr, 'encoding', None) or 'utf-8'
  with contextlib.suppress(OSError):
    os.write(2, f'{text}\n'.encode(encoding, 'backslashreplace'))


def _is_binary() -> bool:
  """Whether this process runs a binary of ours, not a test or a notebook that imports one."""
  spec = getattr(sys.modules['__main__'], '__spec__', None)
  package = __name__.partition('.')[0]
  return (spec.name.partition('.')[0] == package if spec
          else os.path.basename(sys.argv[0]).startswith('maes-'))


if _is_binary():
  install()
