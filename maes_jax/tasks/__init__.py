"""The working-memory tasks by name (paper, Figure 1), and how to add one's own."""

from maes_jax import errors
from maes_jax.phases import Episode
from maes_jax.phases import Phase
from maes_jax.phases import Repeat
from maes_jax.tasks import dual
from maes_jax.tasks import manipulation
from maes_jax.tasks import ngrams
from maes_jax.tasks import pictures
from maes_jax.tasks import recall
from maes_jax.tasks import relation
from maes_jax.tasks import sorting
from maes_jax.tasks import streams
from maes_jax.tasks import strings
from maes_jax.tasks.data import DataTask
from maes_jax.tasks.data import from_arrays
from maes_jax.tasks.data import from_iterator
from maes_jax.tasks.episode import checked
from maes_jax.tasks.episode import dry_run
from maes_jax.tasks.episode import HELD_OUT
from maes_jax.tasks.episode import Question
from maes_jax.tasks.episode import sample
from maes_jax.tasks.episode import sample_batch
from maes_jax.tasks.episode import Task
from maes_jax.tasks.episode import TRAINING
from maes_jax.tasks.episode import with_marker
from maes_jax.tasks.episode import within

TASKS: dict[str, Task] = {}


def register(task: Task) -> Task:
  """Makes a task known by its name, to the library and, through `--plugins`, to every binary.

  >>> silence = Task('silence', outputs=1, ask=lambda key, items, length: Question(
  ...     aux=items, targets=0 * items[:, :1], mask=items[:, 0] >= 0))
  >>> register(silence) is get('silence')
  True
  >>> del TASKS['silence']

  Raises:
    UserError: it is no task, or the name is taken.
  """
  errors.add('task', checked(task).name, task, TASKS)
  return task


def get(name: str) -> Task:
  """The task of that name; an unknown one is an error that lists them all."""
  return errors.pick('task', name, TASKS)


for _task in (*recall.TASKS, *relation.TASKS, *manipulation.TASKS, *dual.TASKS, *streams.TASKS,
              *sorting.TASKS, *ngrams.TASKS, *strings.TASKS, *pictures.TASKS):
  register(_task)
