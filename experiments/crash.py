"""Kills runs, damages, moves and attacks their folders, and writes RELIABILITY.md.

  python -m experiments.crash
"""

import pathlib
import tempfile

from absl import flags

from . import cli
cli.need('tensorboard')
from .reliability import crash
from .reliability import damage
from .reliability import document
from .reliability import scenarios
from .reliability import signals
from .reliability import soak
from .reliability import surroundings
from maes_jax import errors

_KILLS = flags.DEFINE_integer('kills', 5, 'Kills of each run.', lower_bound=1)
_SIGNALS = flags.DEFINE_integer('signals', 50, 'Launches that are asked to stop.', lower_bound=1)
_JOBS = flags.DEFINE_integer('jobs', 2, 'Runs at a time.', lower_bound=1)
_SOAK = flags.DEFINE_integer('soak', 100_000, 'Iterations of the long run.', lower_bound=1000)
_RESULTS = flags.DEFINE_string('results', 'results/reliability', 'Folder of the records.')
_OUTPUT = flags.DEFINE_string('output', 'RELIABILITY.md', 'File to write.')


def main():
  results = pathlib.Path(_RESULTS.value)
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    document.write(results, 'damage', damage.run(folder / 'damage'))
    for kind, module in surroundings.KINDS.items():
      document.write(results, kind, module.run(folder / kind))
    document.write(results, 'crash', crash.run(
        scenarios.SCENARIOS, folder, _KILLS.value, _JOBS.value))
    document.write(results, 'signals', signals.run(
        folder / 'signals', _SIGNALS.value, _JOBS.value))
    document.write(results, 'soak', soak.run(folder / 'soak', _SOAK.value))
  document.render(results, pathlib.Path(_OUTPUT.value))
  if document.broken(results):
    raise errors.UserError(f'not every run came out the same; see {_OUTPUT.value}')


if __name__ == '__main__':
  cli.run(main, unwinds=True)
