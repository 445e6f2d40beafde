"""Kills runs, damages, moves and attacks their folders, and writes RELIABILITY.md.

  python -m tests.reliability.crash
"""

import pathlib
import sys
import tempfile

from experiments.shared import compiled
from tests.reliability import damage
from tests.reliability import document
from tests.reliability import kills
from tests.reliability import scenarios
from tests.reliability import signals
from tests.reliability import soak


def main():
  options = document.options(
      __doc__, kills=(5, 'Kills of each run.'), signals=(50, 'Launches that are asked to stop.'),
      jobs=(2, 'Runs at a time.'), soak=(100_000, 'Iterations of the long run.'))
  compiled.keep()
  with tempfile.TemporaryDirectory() as here:
    folder = pathlib.Path(here)
    made, scratch = scenarios.make(folder / 'made'), folder / 'scratch'
    document.write(options.results, 'damage', damage.table(made, scratch))
    for name, kind in document.KINDS.items():
      document.write(options.results, name, kind.table(made, folder / name))
    document.write(options.results, 'crash', kills.run(
        scenarios.SCENARIOS, made.run, folder / 'killed', options.kills, options.jobs))
    document.write(options.results, 'signals', signals.run(
        folder / 'signals', options.signals, options.jobs))
    document.write(options.results, 'soak', soak.run(folder / 'soak', options.soak))
  options.output.write_text(document.render(options.results))
  if document.broken(options.results):
    sys.exit(f'error: not every run came out the same; see {options.output}')


if __name__ == '__main__':
  main()
