"""Results on stdout, whoever reads them: nobody any more, a full disk, an ASCII terminal."""

from collections.abc import Iterator
import contextlib
import io
import os
import sys

from maes_jax import errors


def show(text: str):
  """Prints a result; does without where its reader has gone.

  Raises:
    UserError: it cannot be written, e.g. as the disk is full.
  """
  try:
    print(text, flush=True)
  except BrokenPipeError:
    _give_up(sys.stdout)
  except OSError as error:
    _give_up(sys.stdout)
    raise errors.UserError(f'cannot write to stdout: {error.strerror}; free some space or send it '
                           'elsewhere') from error


@contextlib.contextmanager
def settled() -> Iterator[None]:
  """A character that a stream cannot show is written as its number; none fails at the end."""
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors='backslashreplace')
  try:
    yield
  finally:
    for stream in (sys.stdout, sys.stderr):
      _flush(stream)


def _flush(stream):
  """Python would print a traceback, and end with a status of its own, at its last flush."""
  try:
    if stream:
      stream.flush()
  except OSError:
    _give_up(stream)


def _give_up(stream):
  """What a stream still holds, and what is yet to come, goes nowhere."""
  nowhere = os.open(os.devnull, os.O_WRONLY)
  os.dup2(nowhere, stream.fileno())
  os.close(nowhere)
