"""Damages every file of a run in every way, and sees what a resume makes of it."""

from collections.abc import Callable, Collection
import os
import pathlib
import shutil
from typing import Any

from maes_jax import checkpoints
from maes_jax import errors
from maes_jax import models
from maes_jax.training import loop
from maes_jax.training import metrics
from maes_jax.training.trainer import Trainer
from maes_jax.training.workdir import Workdir
from tests.reliability import attempts
from tests.reliability import scenarios

# What may come of it; the first is the one that must never be.
DIFFERENT, HARMLESS, OLDER, REFUSED = 'silently different', 'harmless', 'older step', 'refused'


def _flip(at: float) -> Callable[[pathlib.Path, pathlib.Path], None]:
  def damage(path, unused_other):
    content = bytearray(path.read_bytes())
    content[int(at * (len(content) - 1))] ^= 1
    path.write_bytes(content)
  return damage


DAMAGES: dict[str, Callable[[pathlib.Path, pathlib.Path], Any]] = {
    'deleted': lambda path, other: path.unlink(),
    'emptied': lambda path, other: os.truncate(path, 0),
    'truncated': lambda path, other: os.truncate(path, path.stat().st_size // 2),
    'first byte flipped': _flip(0),
    'middle byte flipped': _flip(.5),
    'last byte flipped': _flip(1),
    "another run's": lambda path, other: shutil.copyfile(other, path),
}


def table(
    made: scenarios.Made, scratch: pathlib.Path, damages: Collection[str] = DAMAGES) -> list[dict]:
  """A row for each file of the newest step, the config and the log: damage -> what came of it.

  Args:
    made: the runs.
    scratch: a folder that need not exist, for the damaged copies.
    damages: by name.
  """
  return [{'file': _kind(path, made.run),
           **{name: _try(DAMAGES[name], made, path, scratch) for name in damages}}
          for path in files_of(made.run)]


def files_of(run):
  """The config, the log and all of the newest step."""
  newest = run / 'checkpoints' / str(checkpoints.steps(run / 'checkpoints')[0])
  paths = [newest.with_suffix('.json'), *sorted(p for p in newest.rglob('*') if p.is_file())]
  return [run / 'config.json', run / 'metrics.jsonl', *paths]


def _kind(path, run) -> str:
  """The name in a table, without the random parts."""
  return '/'.join('*' if len(part) == 32 else part for part in path.relative_to(run).parts)


def _try(damage, made, path, scratch):
  attempts.copied(made.run, scratch)
  kind = _kind(path, made.run)
  counterpart = next(file for file in files_of(made.other) if _kind(file, made.other) == kind)
  damage(scratch / path.relative_to(made.run), counterpart)
  return outcome(made.run, scratch)


def outcome(run: pathlib.Path, damaged: pathlib.Path) -> str:
  """What resuming the damaged copy of a run comes to."""
  try:
    return resume(run, damaged)
  except errors.UserError:
    return REFUSED


def resume(run: pathlib.Path, damaged: pathlib.Path) -> str:
  """The same, but raises the UserError where it is refused."""
  whole, copy = Workdir(run), Workdir(damaged)
  config = whole.read_config()
  trainer = Trainer(config, models.build(config))
  with copy.claim(config) as claimed:
    state, digest = loop.restore(trainer, claimed, pretrained={})
    metrics.Log(claimed, loop.iteration(state), digest).close()
  return _compare(state, copy, whole)


def _compare(state, copy, whole) -> str:
  step, saved = loop.iteration(state), checkpoints.saved_digests(whole.checkpoints)
  found = checkpoints.digests(state._asdict()).items()
  rows = [row for row in metrics.read(whole.metrics) if row['iteration'] <= step]
  if not found <= saved.get(step, {}).items() or metrics.read(copy.metrics) != rows:
    return DIFFERENT
  return HARMLESS if step == max(saved) else OLDER
