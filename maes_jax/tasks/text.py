"""An episode in words: phase by phase who is on duty, what it reads, and what it must answer."""

from collections.abc import Iterator

import numpy as np

from maes_jax import items as kinds
from maes_jax import phases
from maes_jax.tasks import episode as episodes

_STARTS = {phases.RESUME: 'goes on where it was', phases.RESTART: 'begins anew',
           phases.HANDOVER: 'begins where the last one looked'}


def lines(task: episodes.Task, episode: episodes.Episode) -> list[str]:
  """A line for each phase and for each step of it; episodes of arrays known to the host.

  A step shows its number, the control bits of a marker, the item, and behind an arrow the answer
  that counts.
  """
  shown, step = [], 0
  for phase in in_time(episode):
    name = phase.cell if phase.cell == phases.SOLVER else phases.name(task.name, phase)
    steps = '1 step' if phase.steps == 1 else f'{phase.steps:,} steps'
    again = ' again, which one cell alone reads once' * phase.again
    shown.append(f'{name} {_STARTS[phase.start]}, {steps}{again}')
    for line in _steps(task, phase):
      shown.append(f'{step:5}  {line}'.rstrip())
      step += 1
  counted = int(np.sum(episode.mask))
  title = (f'{task.name}: length {int(episode.length):,}, {step:,} steps, {counted:,} '
           f'{"answer counts" if counted == 1 else "answers count"}')
  return [title, *shown]


def in_time(episode: episodes.Episode) -> Iterator[phases.Phase]:
  """Phases that have steps, in the order of time."""
  return (phase for phase in phases.in_time(episode.program) if phase.steps)


def _steps(task, phase):
  bits = task.all_control_bits
  for t in range(int(phase.steps)):
    control, item = np.split(np.asarray(phase.inputs[t]), [bits])
    marker = _bits(control) if control.any() else ' ' * bits
    answer = f'  -> {said(task.answers, phase.targets[t])}' if _counts(phase, t) else ''
    yield f'{marker}  {said(task.items, item)}{answer}'


def _counts(phase, t) -> bool:
  return phase.asked and bool(phase.mask[t])


def said(kind: kinds.Items, item: np.ndarray) -> str:
  """An item [D] as text: bits, the number of a token, or numbers."""
  if isinstance(kind, kinds.Tokens):
    return str(int(item.argmax())) if item.any() else '-'
  whole = np.isin(item, (0, 1)).all()
  return _bits(item) if whole else ' '.join(f'{number:.2f}' for number in item)


def _bits(item):
  return ''.join(str(int(bit)) for bit in item)
