"""Files of verdicts, as `certify --json` writes them and shipped models have them beside them."""

from collections.abc import Sequence
import operator
import pathlib
from typing import Any

from maes_jax import errors
from maes_jax import files
from maes_jax import tasks
from maes_jax.certificates.verdict import confirmed
from maes_jax.certificates.verdict import Verdict
from maes_jax.trained import Trained
from maes_jax.training import workdir

_FIELDS = 'model_index', 'status', 'reason', 'radius', 'tried', 'certificate', 'witness'


def write(path: pathlib.Path, restored: Sequence[Trained], task: tasks.Task,
          found: Sequence[Verdict], solver: str | None = None):
  """A file of the verdicts on models of one kind, in their order; `solver`: whose was asked."""
  workdir.write_result(path, {
      'model': restored[0].config.model, 'task': task.name,
      **({'solver': solver} if solver not in (None, task.name) else {}), 'verdicts': [
          {'model_index': trained.index, 'seed': int(trained.saved['seed']),
           'iterations': trained.iterations, 'converged': trained.converged, **verdict.to_json()}
          for trained, verdict in zip(restored, found)]})


def read(path: pathlib.Path) -> list[dict[str, Any]]:
  """The verdicts of a file.

  Raises:
    UserError: it holds none.
  """
  try:
    said = files.read_json(path)
    return [{**{name: one[name] for name in _FIELDS}, 'task': str(said['task']),
             'solver': str(said.get('solver', said['task'])),
             'model_index': operator.index(one['model_index'])} for one in said['verdicts']]
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise errors.UserError(f'{path} holds no certificates ({error}); give a file that --json '
                           'wrote') from error


def of(trained: Trained, task: tasks.Task, path: pathlib.Path) -> Verdict:
  """The verdict of a file about a model and a task.

  Raises:
    UserError: there is none, or it does not hold.
  """
  for said in read(path):
    if (said['task'], said['model_index']) == (task.name, trained.index):
      return confirmed(trained, task, said)
  raise errors.UserError(f'{path} says nothing about model {trained.index} and task {task.name!r}; '
                         'make a file that does with experiments.certify --json')
