"""Scalars and pictures for TensorBoard, written at once.

tensorboardX's own `SummaryWriter` hands events to a thread: what was flushed need not be written,
and a thread that a full disk ended leaves the run waiting for it. Its `RecordWriter` does neither.
"""

import os
import pathlib
import socket
import time

import numpy as np

from maes_jax import extras
INSTALLED = not extras.missing('tensorboard')
if INSTALLED:
  from tensorboardX import record_writer
  from tensorboardX import summary
  from tensorboardX.proto import event_pb2


def opened(folder: pathlib.Path, first: int) -> 'Board | NoBoard':
  """A `Board`; where tensorboardX is not installed, one that writes nothing."""
  return Board(folder, first) if INSTALLED else NoBoard()


class NoBoard:
  """Takes in what a `Board` does, for nobody."""

  def add(self, name: str, value: float, step: int):
    """Nothing."""

  def add_image(self, name: str, grey: np.ndarray, step: int):
    """Nothing."""

  def flush(self):
    """Nothing."""

  def close(self):
    """Nothing."""


class Board:
  """An event file of its own for each process that takes a run up."""

  def __init__(self, folder: pathlib.Path, first: int):
    """Opens a file; TensorBoard then hides what older files hold from step `first` on."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f'events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}'
    self._writer = record_writer.RecordWriter(str(folder / name))
    self._write(file_version='brain.Event:2')
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    self._write(step=first, session_log=start)

  def add(self, name: str, value: float, step: int):
    self._write(step=step, summary=summary.scalar(name, value))

  def add_image(self, name: str, grey: np.ndarray, step: int):
    """A picture [H, W] of grey levels of 8 bits."""
    self._write(step=step, summary=summary.image(name, grey, dataformats='HW'))

  def flush(self):
    """Puts all events on the disk."""
    self._writer.flush()

  def close(self):
    self._writer.close()

  def _write(self, **event):
    self._writer.write(event_pb2.Event(wall_time=time.time(), **event).SerializeToString())
