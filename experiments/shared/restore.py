"""The flags that name a trained model and one of its tasks, and the model and task they name."""

from absl import flags

from . import cli
from maes_jax import errors
from maes_jax import tasks
from maes_jax import trained

_CHECKPOINT = cli.define_folder(
    'checkpoint', 'Workdir of a training run, or the name of a shipped model, e.g. E_J.')
_TASK = flags.DEFINE_string('task', None, "Task; default: the run's own, if it has just one.")
_ALL = 'all'
_INDEX = flags.DEFINE_string('model_index', None, 'Model of the population; default: the best.')
flags.register_validator('model_index', lambda index: index in (None, _ALL) or index.isdecimal(),
                         message='give the number of a model, from 0')


def from_flags() -> tuple[trained.Trained, tasks.Task]:
  """Restores the model.

  Raises:
    UserError: no intact model is there, or it has no solver for that task.
  """
  if _INDEX.value == _ALL:
    raise errors.UserError('--model_index=all is too many at a time; give the number of one')
  restored = trained.load(_CHECKPOINT.value, None if _INDEX.value is None else int(_INDEX.value))
  return restored, tasks.get(_pick_task(restored.config.task))


def several_from_flags() -> tuple[list[trained.Trained], tasks.Task]:
  """The same, or all models of the population if the flags say so."""
  if _INDEX.value != _ALL:
    restored, task = from_flags()
    return [restored], task
  population = trained.load_all(_CHECKPOINT.value)
  return population, tasks.get(_pick_task(population[0].config.task))


def _pick_task(trained_tasks):
  if _TASK.value is None and len(trained_tasks) == 1:
    return trained_tasks[0]
  if _TASK.value not in trained_tasks:
    asked = 'no task was named' if _TASK.value is None else f'no solver for {_TASK.value!r}'
    raise errors.UserError(f'{asked}: the checkpoint in {_CHECKPOINT.value} was trained on '
                           f'{", ".join(trained_tasks)}; give one of these as --task')
  return _TASK.value
