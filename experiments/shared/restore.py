"""The flags that name a trained model and one of its tasks, and the model and task they name."""

import dataclasses

from absl import flags

from . import cli
from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import tasks
from maes_jax import trained

_CHECKPOINT = cli.define_folder(
    'checkpoint', 'Workdir of a training run, or the name of a shipped model, e.g. E_J.')
_TASK = flags.DEFINE_string('task', None, "Task; default: the run's own, if it has just one.")
_SOLVER = flags.DEFINE_string(
    'solver', None, 'Task whose solver is asked instead of that of --task.')
_ALL = 'all'
_INDEX = flags.DEFINE_string(
    'model_index', None,
    'Model of the population, or all, where a program takes several; default: the best.')
flags.register_validator('model_index', lambda index: (
    index in (None, _ALL) or (index.isdecimal() and len(index) < 10)),
                         message='give the number of a model, from 0')


def from_flags() -> tuple[trained.Trained, tasks.Task]:
  """Restores the model.

  Raises:
    UserError: no intact model is there, or it has no solver for that task.
  """
  if _INDEX.value == _ALL:
    raise errors.UserError('--model_index=all is too many at a time; give the number of one')
  return _asked(*models())


def several_from_flags() -> tuple[list[trained.Trained], tasks.Task]:
  """The same, or all models of the population if the flags say so."""
  found = [_asked(restored) for restored in models()]
  return [restored for restored, _ in found], found[0][1]


def by_solver(task: tasks.Task) -> str:
  """Whose solver is asked, in words; '' where it is the task's own."""
  return f', by its solver of {_SOLVER.value}' if _SOLVER.value not in (None, task.name) else ''


def models() -> list[trained.Trained]:
  """The model, or all of the population, whatever the task."""
  if _INDEX.value == _ALL:
    return trained.load_all(_CHECKPOINT.value)
  return [trained.load(_CHECKPOINT.value, None if _INDEX.value is None else int(_INDEX.value))]


def _asked(restored):
  """The model and the task that it is asked."""
  if _SOLVER.value is None:
    return restored, tasks.get(_pick_task(restored.config.task))
  if _TASK.value is None:
    raise errors.UserError('--solver needs --task: what the solver is to be asked')
  return asking(restored, _SOLVER.value, _TASK.value)


def asking(restored: trained.Trained, solver: str, task: str) -> tuple[trained.Trained, tasks.Task]:
  """A model whose solver of one task is asked another, and that."""
  saved = {**restored.saved, 'params': encoder_solver.asked(restored.params, solver, task)}
  return (dataclasses.replace(restored, model=restored.model.asking(solver, task), saved=saved),
          tasks.get(task))


def _pick_task(trained_tasks):
  if _TASK.value is None and len(trained_tasks) == 1:
    return trained_tasks[0]
  if _TASK.value not in trained_tasks:
    asked = 'no task was named' if _TASK.value is None else f'no solver for {_TASK.value!r}'
    raise errors.UserError(f'{asked}: the checkpoint in {_CHECKPOINT.value} was trained on '
                           f'{", ".join(trained_tasks)}; give one of these as --task')
  return _TASK.value
