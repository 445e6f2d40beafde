"""Commands side by side, as processes that stop with this one, however it ends."""

from collections.abc import Callable, Mapping, Sequence
import concurrent.futures
import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading

from maes_jax import errors
from maes_jax.training import interrupts

_MARK = 'MAES_JAX_PARENT'  # In the environment of a child; its stdin then ends with the parent.
_PR_SET_PDEATHSIG = 1
_POLL = 0.2  # Seconds between two looks at whether this process was asked to stop.
_REASON = 'the reason stands above'


def shares(jobs: int) -> list[set[int]]:
  """The cores of this process, dealt out; several jobs share one where there are too few."""
  cores = sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else []
  return [set(cores[job::jobs]) or set(cores[job % len(cores):][:1]) if cores else set()
          for job in range(jobs)]


def run_all(commands: Mapping[str, Sequence[str]], jobs: int,
            ended: Callable[[int], None] | None = None):
  """Runs commands, so many at a time; see `run`.

  Raises:
    UserError: names those that did not end well.
  """
  jobs = max(min(jobs, len(commands)), 1)  # However many are allowed.
  check_finished(run(commands, shares(jobs), ended))


def check_finished(ended: Mapping[str, str]):
  """Whether all went well; `ended` says by name how each did, empty where well.

  Raises:
    UserError: names those that did not.
  """
  failed = [f'{name} ({how})' for name, how in ended.items() if how]
  if failed:
    raise errors.UserError(f'not finished: {", ".join(failed)}; run the same command again to go '
                           'on')


def run(commands: Mapping[str, Sequence[str]], shares: Sequence[set[int]],
        ended: Callable[[int], None] | None = None) -> dict[str, str]:
  """Runs commands, as many at a time as there are shares; one that runs calls `join` first.

  Args:
    commands: by name.
    shares: of the cores of this process; a process keeps to one of them, as two programs that
      each spread over all cores wait for each other most of the time. None of them: to any.
    ended: is told how many have ended, whenever that is one more.

  Returns:
    How each ended, by name: empty where all went well.

  Raises:
    Interrupted: this process was asked to stop; so were all the others, and they have ended.
  """
  free: queue.SimpleQueue[set[int]] = queue.SimpleQueue()
  for share in shares:
    free.put(share)
  with interrupts.graceful() as wish, concurrent.futures.ThreadPoolExecutor(len(shares)) as pool:
    children = [_Child(command, wish) for command in commands.values()]
    results = [pool.submit(child.run, free) for child in children]
    count = 0
    while count < len(results):
      before, count = count, len(concurrent.futures.wait(results, _POLL).done)
      if wish.stop:
        for child in children:
          child.ask_to_stop()
      elif ended and count > before:
        ended(count)
    if wish.stop:
      raise interrupts.Interrupted('stopped, and so has every run; run the same command again to '
                                   'go on from what they have saved')
  return {name: result.result() for name, result in zip(commands, results)}


class _Child:
  """A process of a command."""

  def __init__(self, command, wish):
    self._command, self._wish = command, wish
    self._process = None
    self._asked = False

  def run(self, free) -> str:
    """Starts it on free cores and waits for it; how it ended, empty where all went well."""
    if self._wish.stop:
      return 'not started'
    share = free.get()
    try:
      if share:
        os.sched_setaffinity(0, share)  # Of this thread, and of what it starts.
      return self._wait()
    finally:
      free.put(share)

  def _wait(self):
    # A group of its own: Ctrl-C on a terminal is for the parent, which asks each child once.
    with subprocess.Popen(self._command, stdin=subprocess.PIPE, process_group=0,
                          env=os.environ | {_MARK: str(os.getpid())}) as process:
      self._process = process
      status = process.wait()
    return how_ended(status)

  def ask_to_stop(self):
    """Once: a second signal would stop it before it has saved."""
    if self._process and not self._asked:
      self._asked = True
      self._process.terminate()


def how_ended(status: int) -> str:
  """How a process with this status ended, in words; empty where all went well.

  >>> how_ended(-9), how_ended(1), how_ended(0)
  ('ended by SIGKILL', 'the reason stands above', '')
  """
  if status >= 0:
    return _REASON if status else ''
  try:
    return f'ended by {signal.Signals(-status).name}'
  except ValueError:
    return f'ended by signal {-status}'


def join() -> bool:
  """In a process that `run` started: from now on it ends with its parent, at once.

  What it was writing is whole or not there, as when it is killed itself.

  Returns:
    Whether this is such a process.
  """
  if _MARK not in os.environ:
    return False
  parent = int(os.environ.pop(_MARK))
  signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # It may write to the terminal of its parent.
  if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
  threading.Thread(target=_end_with_stdin, daemon=True).start()
  if os.getppid() != parent:
    raise errors.UserError('the process that started this one has ended')
  return True


def _end_with_stdin():
  """Where no signal tells of the parent's end, the other end of a pipe that it held does."""
  while os.read(0, 1):
    pass
  os._exit(1)
