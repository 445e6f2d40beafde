"""Measures speed side by side with the peers, and both against what the machine can do.

  python -m experiments.benchmark --json=results/benchmark.json
  python -m experiments.benchmark --only=train_1_32,limits --repeats=3 --json=/tmp/benchmark.json
  python -m experiments.benchmark --choices --json=results/choices.json

Run it on an idle machine; `experiments.ledger` makes BENCHMARKS.md of the record.
"""

from .shared import cli  # First, as signals may come while the others are imported.

import datetime
import importlib.metadata
import pathlib
import time

from absl import flags
import jax

from .bench import choices
from .bench import launch
from .bench import precision
from .bench import quiet
from .bench import roofline
from .bench import rows
from .shared import records
from .shared import stopping
from maes_jax import errors
from maes_jax.training import workdir

# What is measured besides the rows, given the number of repeats.
_PARTS = {'limits': lambda repeats: roofline.measure(),
          'launch': lambda repeats: launch.measure(min(repeats, 2)),
          'crowd': lambda repeats: launch.crowd(),
          'precision': lambda repeats: precision.measure(),
          # Only a checkout has a Makefile.
          **({'demo': lambda repeats: launch.demo()} if __package__ == 'experiments' else {})}
_ON_CARD = ('precision', 'launch', 'crowd', *rows.ON_CARD)
_ON_CPU = (*(part for part in _PARTS if part not in ('precision', 'crowd')), *rows.ON_CPU)

_ONLY = cli.define_names(
    'only', None, 'Rows and parts to measure, or choices, with commas; default: all that are for '
    'the platform.')
_REPEATS = flags.DEFINE_integer('repeats', 5, 'Turns that ours and the peers take.', lower_bound=1)
_CHOICES = flags.DEFINE_boolean(
    'choices', False, 'Measure instead what each piece that is there for speed alone gains.')
_JSON = flags.DEFINE_string('json', None, 'File for the record.', required=True)


def main():
  jax.config.update('jax_enable_compilation_cache', False)  # Compiling is measured, too.
  start, file, wanted = time.monotonic(), pathlib.Path(_JSON.value), _wanted()
  begun = _beside(file, wanted)
  record = {'machine': records.machine(), 'versions': _versions(), 'repeats': _REPEATS.value,
            'date': datetime.date.today().isoformat(), 'quiet': [quiet.look()],
            'choices' if _CHOICES.value else 'rows': {}}
  for name in wanted:
    stopping.say(f'{name} ...')
    _measure(record, name)
    record['seconds'] = round(time.monotonic() - start)
    record['quiet'].append(quiet.look())
    workdir.write_result(begun, record)  # Whoever stops here keeps it, and the record of before.
  if begun != file:
    workdir.write_result(file, record)
    begun.unlink()
  if lazy := [name for name, row in record.get('rows', {}).items() if not rows.learned(row)]:
    raise errors.UserError(f'the training loss did not fall in {", ".join(lazy)}; the record is '
                           'written, but a speed without learning means nothing')


def _wanted():
  """What to measure: choices, or rows and parts that are for the platform."""
  if _CHOICES.value:
    wanted = _ONLY.value or [*choices.CHOICES]
    for name in wanted:
      errors.pick('choice', name, choices.CHOICES)
    return wanted
  on_cpu = jax.default_backend() == 'cpu'
  wanted = _ONLY.value or (_ON_CPU if on_cpu else _ON_CARD)
  for name in wanted:
    errors.pick('part of the benchmark', name, {**_PARTS, **rows.ROWS})
    if on_cpu and name not in _ON_CPU:
      raise errors.UserError(f'{name} is measured on an accelerator, and JAX finds none here; '
                             'leave it out')
  return wanted


def _beside(file, wanted):
  """Where the record grows: beside an earlier one, all of which must be measured anew."""
  if not file.is_file():
    return file
  had = records.load(file, {'machine'}, 'measure again') or {}
  lost = {*had.get('rows', ()), *had.get('choices', ()), *(_PARTS.keys() & had)}.difference(wanted)
  if lost:
    raise errors.UserError(f'the record {file} has {", ".join(sorted(lost))}, too, of another run; '
                           'give another file as --json, or measure these as well')
  return file.with_name(f'{file.name}.partial')


def _measure(record, name):
  if _CHOICES.value:
    record['choices'][name] = choices.measure(name, _REPEATS.value)
  elif name in rows.ROWS:
    record['rows'][name] = rows.measure(rows.ROWS[name], _REPEATS.value)
  else:
    record[name] = _PARTS[name](_REPEATS.value)


def _versions():
  """Those of our record, and of the peers where they are installed."""
  installed = {dist.name: dist.version for dist in importlib.metadata.distributions()}
  return records.versions() | {
      name: installed[name] for name in ('torch', 'dnc') if name in installed}


program = cli.program(main, unwinds=True)  # `maes-benchmark` where it is installed.

if __name__ == '__main__':
  program()
