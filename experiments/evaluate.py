"""Restores a trained model into any memory size and tests it.

  python -m experiments.evaluate --checkpoint=/tmp/serial --task=serial_recall --length=1000 \\
      --memory=1024 --figure=/tmp/attention.png --json=/tmp/result.json
"""

import pathlib

from absl import flags

from .shared import cli
from .shared import cluster
from .shared import look
from .shared import output
from .shared import restore
from .shared import stopping
from maes_jax import devices
from maes_jax import evaluation
from maes_jax import extras
from maes_jax import limits
from maes_jax import tasks
from maes_jax.training import workdir

_LENGTH = flags.DEFINE_integer(
    'length', None, 'Items per sequence, by default 1000; of a task from data the held-out '
    'examples of so many, by default all.', lower_bound=1)
_MEMORY = flags.DEFINE_integer('memory', 1024, 'Memory addresses N.', lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer('batch_size', 32, 'Sequences per batch.', lower_bound=1)
_BATCHES = flags.DEFINE_integer('batches', 100, 'Batches.', lower_bound=1)
_SEED = flags.DEFINE_integer('test_seed', 0, 'Seed of the test sequences.', lower_bound=0)
_JSON = flags.DEFINE_string('json', None, 'File for the result.')
_FIGURE = flags.DEFINE_string('figure', None, 'File for a picture of attention and memory.')
_FIGURE_LENGTH = flags.DEFINE_integer(
    'figure_length', 40, 'Items of the sequence in the picture.', lower_bound=1)
cluster.define_flags()
_DEFAULT = 1000  # Items, where no length is given.


def main():
  limits.check(length=_LENGTH.value or 1, memory=_MEMORY.value, batch_size=_BATCH_SIZE.value,
               batches=_BATCHES.value, test_seed=_SEED.value, figure_length=_FIGURE_LENGTH.value)
  if _FIGURE.value:
    extras.need('figures', '--figure')
  restored, task = restore.from_flags()
  if _FIGURE.value:
    look.recorder(restored, task, _FIGURE_LENGTH.value).check()
  shared_by = devices.first(flags.FLAGS['devices'].value)
  length = _LENGTH.value or (None if isinstance(task, tasks.DataTask) else _DEFAULT)
  tester = evaluation.Tester(
      restored.model, task, length or task.longest(tasks.HELD_OUT), _MEMORY.value,
      _BATCH_SIZE.value, shared_by)
  counts = tester.test(restored.params, length, _BATCHES.value, _SEED.value)
  if not devices.leads():
    return
  result = _result(restored, task, length, counts)
  with stopping.unwinding():
    if _JSON.value:
      workdir.write_result(pathlib.Path(_JSON.value), result)
    if _FIGURE.value:
      look.draw_attention(restored, task, _FIGURE_LENGTH.value, pathlib.Path(_FIGURE.value),
                          restore.by_solver(task))
  output.show(_describe(result, task))  # Last: files are whole by then, whatever happens to it.


def _result(restored, task, length, counts):
  named = counts.named(task.answers.unit)
  rates = {f'{unit}_accuracy': named[f'{unit}s_right'] / named[f'{unit}s']
           for unit in _units(task)}
  # Bits of one sequence go wrong together: of them there would be no such interval.
  interval = evaluation.interval(counts.sequences_right, counts.sequences)
  return {
      'model': restored.config.model, 'checkpoint': flags.FLAGS.checkpoint, 'task': task.name,
      'solver': flags.FLAGS.solver or task.name, 'length': length, 'memory': _MEMORY.value,
      'test_seed': _SEED.value, 'model_index': restored.index, 'iterations': restored.iterations,
      'converged': restored.converged, **named, **rates, 'sequence_interval_95': interval}


def _units(task):
  """What is counted: the units of an answer, e.g. bits, whole answers, whole sequences."""
  return task.answers.unit, 'item', 'sequence'


def _tested(length, task):
  if not isinstance(task, tasks.DataTask):
    return f'length {length}'
  return f'held-out examples of {length or "any number of"} items'


def _describe(result, task):
  def line(unit):
    name = f'{unit}s'
    return (f'  {name:9}  {result[f"{name}_right"]:>12,} of {result[name]:>12,} right  '
            f'{result[f"{unit}_accuracy"]:8.2%}')
  low, high = result['sequence_interval_95']
  return '\n'.join([
      f'{result["task"]} with {result["model"]}, model {result["model_index"]}'
      f'{restore.by_solver(task)}, {_tested(result["length"], task)}, memory of '
      f'{result["memory"]} addresses:',
      *map(line, _units(task))]) + f'  (95 %: {low:.2%} to {high:.2%})'


program = cli.program(main)  # `maes-evaluate` where it is installed.

if __name__ == '__main__':
  program()
