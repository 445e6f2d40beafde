"""What computed which part of a run: on other devices, sums round differently."""

from collections.abc import Sequence
import json
import logging
import os
from typing import Any

import jax

from maes_jax import files
from maes_jax.training.workdir import Workdir


def note(workdir: Workdir, iteration: int, used: Sequence[jax.Device]):
  """Notes what a run goes on with, and warns where that is not what it was trained with so far.

  Args:
    workdir: of the run; its file `devices.json` has a part for each stretch, from its first
      iteration on. A workdir without one, from before it existed, goes on as well.
    iteration: where the run is taken up; stretches that began there or later are trained anew.
    used: the devices that share the work from now on.
  """
  path, now = workdir.path / 'devices.json', _describe(used)
  before = _read(path)
  parts = [part for part in before if part['iteration'] < iteration]
  if parts and _without_iteration(parts[-1]) != now:
    logging.getLogger(__name__).warning(
        '%s was trained on %s up to iteration %d and goes on with %s; from there on it may differ, '
        'by rounding, from a run on either alone', workdir.path, _in_words(parts[-1]), iteration,
        _in_words(now))
  if not parts or _without_iteration(parts[-1]) != now:
    parts.append({'iteration': iteration, **now})
  if parts != before:
    files.write_atomically(path, json.dumps(parts, indent=1) + '\n')


def _describe(used) -> dict[str, Any]:
  kinds = sorted({device.device_kind for device in used})
  found = {'devices': len(used), 'kind': ', '.join(kinds)}
  return found | {'cores': _cores()} if used[0].platform == 'cpu' else found


def _cores() -> int:
  """Cores that a program may spread over, of this process."""
  return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _in_words(part) -> str:
  cores = f' on {part["cores"]} cores' if 'cores' in part else ''
  return f'{part["devices"]} x {part["kind"]}{cores}'


def _without_iteration(part):
  return {key: value for key, value in part.items() if key != 'iteration'}


def _read(path) -> list[dict[str, Any]]:
  """The parts; none where the file is not there or is not as we write it: it is only a note."""
  try:
    parts = files.read_json(path) if path.exists() else []
    return [part for part in parts if isinstance(part['iteration'] + part['devices'], int)
            and isinstance(part['kind'], str)]
  except (KeyError, OSError, TypeError, ValueError):
    return []
