"""Shows what a task is: an episode as text, phase by phase, or a picture of one of each of several.

  python -m experiments.show_task --task=forget --length=5
  python -m experiments.show_task --task=ignore,carry,forget --length=6 --figure=/tmp/dual.png

Text says who is on duty and where it begins, then step by step the control bits of a marker, the
item and, behind an arrow, the answer that counts.
"""

import pathlib

from absl import flags
import jax

from .shared import cli
from .shared import output
from .shared import stopping
from maes_jax import errors
from maes_jax import extras
from maes_jax import limits
from maes_jax import randomness
from maes_jax import tasks
from maes_jax.tasks import text

_TASK = cli.define_names('task', None, 'Task, or several with commas.', required=True)
_LENGTH = flags.DEFINE_integer('length', None, 'Length of the episode; default: 5, or more where '
                               'the task needs more.', lower_bound=1)
_SEED = flags.DEFINE_integer('seed', 0, 'Seed of the episode.', lower_bound=0)
_FIGURE = flags.DEFINE_string('figure', None, 'File for a picture instead of text.')
_DEFAULT = 5
MOST = 1000  # Of a length that is shown.


def main():
  limits.check(seed=_SEED.value)
  if _FIGURE.value:
    extras.need('figures', '--figure')
  shown = [tasks.get(name) for name in _TASK.value]
  episodes = [_draw(task) for task in shown]
  if not _FIGURE.value:
    output.show('\n\n'.join('\n'.join(text.lines(*each)) for each in zip(shown, episodes)))
    return
  from maes_jax import figures
  with stopping.unwinding():
    figures.episodes(list(zip(shown, episodes)), pathlib.Path(_FIGURE.value))


def _draw(task):
  """One episode, on the host."""
  length = _LENGTH.value or max(_DEFAULT, task.shortest)
  if length > MOST:
    raise errors.UserError(f'length is {length:,}; it must be at most {MOST:,} to be shown')
  key = randomness.key(_SEED.value, randomness.Stream.TEST)
  tasks.dry_run(task, length)
  return jax.device_get(jax.jit(lambda key: tasks.sample(task, key, length, length))(key))


program = cli.program(main)  # `maes-show-task` where it is installed.

if __name__ == '__main__':
  program()
