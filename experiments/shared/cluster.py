"""Flags for many devices and many processes, and JAX's own runtime made ready for them."""

import os
import sys
import threading
from typing import NoReturn

from absl import flags
import jax

from . import stopping
from maes_jax import errors

_HEARTBEAT_SECONDS = 30


def define_flags():
  """What a run is spread over; none of these changes what comes out, but for rounding."""
  flags.DEFINE_integer('devices', None, 'Devices that share the work; default: all there are, on '
                       'a CPU one a core.', lower_bound=1)
  flags.DEFINE_boolean('distributed', False, 'This is one process of several; JAX finds the others '
                       'on Cloud TPU and Slurm, elsewhere the next three flags name them.')
  flags.DEFINE_string('coordinator', None, 'host:port of process 0.')
  flags.DEFINE_integer('processes', None, 'How many processes there are.', lower_bound=1)
  flags.DEFINE_integer('process_id', None, 'Which of them this is.', lower_bound=0)
  flags.DEFINE_integer('join_seconds', 60, 'Longest wait for the other processes.', lower_bound=1)


def prepare():
  """Gives a CPU a device for each core, and joins the other processes; before JAX computes.

  Raises:
    UserError: this process is not told who the others are.
  """
  if 'JAX_NUM_CPU_DEVICES' not in os.environ and hasattr(os, 'sched_getaffinity'):
    jax.config.update('jax_num_cpu_devices', len(os.sched_getaffinity(0)))
  values = flags.FLAGS.flag_values_dict()
  if values.get('distributed'):
    _join(values)


def _join(values):
  """Joins in a thread: JAX ends a process that waits too long with pages of its own state."""
  failures = []
  thread = threading.Thread(target=_initialize, args=(values, failures), daemon=True)
  thread.start()
  thread.join(values['join_seconds'])
  if thread.is_alive():
    leave(f'error: the other processes did not answer within {values["join_seconds"]} seconds; '
          'check --coordinator, --processes and --process_id, and that every process was started')
  stopping.listen()  # JAX took SIGTERM for itself.
  if failures:
    raise errors.UserError(f'{failures[0]}; give --coordinator, --processes and --process_id')


def _initialize(values, failures):
  try:
    jax.distributed.initialize(
        values['coordinator'], values['processes'], values['process_id'],
        initialization_timeout=2 * values['join_seconds'] + 60,
        heartbeat_timeout_seconds=_HEARTBEAT_SECONDS)
  except (TypeError, ValueError, RuntimeError) as error:
    failures.append(error)


def joined() -> bool:
  """Whether this is one process of several."""
  return jax.distributed.is_initialized()


def leave(message: str) -> NoReturn:
  """Ends this process of several at once: leaving in order would wait for one that is gone."""
  print(message, file=sys.stderr, flush=True)
  os._exit(1)
