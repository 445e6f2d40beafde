"""Scalars and pictures for TensorBoard, written at once.

tensorboardX's own `SummaryWriter` hands events to a thread: what was flushed need not be written,
and a thread that a full disk ended leaves the run waiting for it. Its `RecordWriter` does neither.
"""

import os
import pathlib
import re
import socket
import struct
import time

import numpy as np

from maes_jax import extras
INSTALLED = not extras.missing('tensorboard')
if INSTALLED:
  # It imports PyTorch to annotate a type, seconds before the first iteration.
  with extras.hidden('torch'):
    from tensorboardX import record_writer
    from tensorboardX import summary
    from tensorboardX.proto import event_pb2

_NAME = re.compile(r'events\.out\.tfevents\.(\d{10}\.\d+)\.')  # As we name files, in their order.
_WALL_TIME = b'\x09'  # What an event of ours begins with: field 1, of 8 bytes.
_TICK = 1e-5  # Seconds by which a file begins after the last one ended.


class Board:
  """An event file of its own for each process that takes a run up."""

  def __init__(self, folder: pathlib.Path, first: int):
    """Opens a file; TensorBoard then hides what older files hold from step `first` on.

    It reads files in the order of their names. Time goes on from the newest there, as a clock that
    was set back would have it read the new file first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    self._opened = max(time.time(), _newest(folder) + _TICK), time.monotonic()
    name = f'events.out.tfevents.{self._now():.6f}.{socket.gethostname()}.{os.getpid()}'
    self._writer = record_writer.RecordWriter(str(folder / name))
    self._write(file_version='brain.Event:2')
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    self._write(step=first, session_log=start)

  def add(self, name: str, value: float, step: int):
    self._write(step=step, summary=summary.scalar(name, value))

  def add_image(self, name: str, grey: np.ndarray, step: int):
    """A picture [H, W] of grey levels of 8 bits."""
    self._write(step=step, summary=summary.image(name, grey, dataformats='HW'))

  def add_text(self, name: str, text: str, step: int):
    """A text in Markdown."""
    self._write(step=step, summary=summary.text(name, text))

  def flush(self):
    """Puts all events on the disk."""
    self._writer.flush()

  def close(self):
    self._writer.close()

  def _write(self, **event):
    self._writer.write(event_pb2.Event(wall_time=self._now(), **event).SerializeToString())

  def _now(self):
    opened, then = self._opened
    return opened + time.monotonic() - then


def _newest(folder) -> float:
  """The time of the last event of the last file, or 0."""
  found = {float(name[1]): path for path in folder.iterdir() if (name := _NAME.match(path.name))}
  if not found:
    return 0.
  begun = max(found)
  ended = _last(found[begun].read_bytes())
  return max(begun, ended) if ended < 1e10 else begun  # A damaged one; names have ten digits.


def _last(content: bytes) -> float:
  """The time of the last whole event: each is its length, a checksum, the event, a checksum."""
  start, last = 0, b''
  while start + 12 <= len(content):
    (size,) = struct.unpack_from('<Q', content, start)
    end = start + 12 + size
    if end + 4 > len(content):
      break
    last, start = content[start + 12:end], end + 4
  in_front = last[:1] == _WALL_TIME and len(last) > 8
  return struct.unpack_from('<d', last, 1)[0] if in_front else 0.
