"""Writes RESULTS.md, BENCHMARKS.md and the README's table from results/, draws the figures.

  python -m experiments.ledger
"""

import pathlib

from absl import flags

from .shared import cli
from .shared import output
from .shared import records
from .bench import document as benchmarks
from .paper import document
from .paper import plots
from .paper import runs
from maes_jax import errors
from maes_jax import extras
from maes_jax.training import workdir

_RESULTS = flags.DEFINE_string('results', 'results', 'Folder of the records.')
_CHECKPOINTS = flags.DEFINE_string('checkpoints', 'checkpoints', 'Folder of shipped models.')
_OUTPUT = flags.DEFINE_string('output', 'RESULTS.md', 'File to write.')
_BENCHMARKS = flags.DEFINE_string('benchmarks', 'BENCHMARKS.md', 'File on speed to write.')
_README = flags.DEFINE_string('readme', 'README.md', 'README whose table is renewed; empty: none.')
_FIGURES = flags.DEFINE_boolean('figures', True, 'Draw the figures as well.')


def main():
  results = pathlib.Path(_RESULTS.value)
  if _FIGURES.value:
    extras.need('figures', '--figures')
  if not any(records.path(results, name).exists() for name in runs.RUNS):
    raise errors.UserError(f'no records of the paper in {results}; give their folder as --results')
  with records.legible(results):
    write(results)


def write(results: pathlib.Path):
  """All documents and figures."""
  readme = document.into_readme(pathlib.Path(_README.value), results) if _README.value else ''
  if _FIGURES.value:
    for name in plots.drawable(results, pathlib.Path(_CHECKPOINTS.value)):
      output.show(str(plots.draw(name, results, pathlib.Path(_CHECKPOINTS.value))))
  workdir.write_text(pathlib.Path(_OUTPUT.value), document.render(
      results, pathlib.Path(_CHECKPOINTS.value)))
  benchmarks.write(results, pathlib.Path(_BENCHMARKS.value))
  if readme:
    workdir.write_text(pathlib.Path(_README.value), readme)


if __name__ == '__main__':
  cli.run(main)
