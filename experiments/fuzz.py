"""Tries odd input in bulk and writes RELIABILITY.md.

  python -m experiments.fuzz
"""

import pathlib

from absl import flags

from . import cli
cli.need('test')
from .reliability import document
from .reliability import fuzz

_INPUTS = flags.DEFINE_integer('inputs', 500, 'Inputs of each kind.', lower_bound=1)
_PROCESSES = flags.DEFINE_integer('processes', 40, 'Real processes.', lower_bound=1)
_RESULTS = flags.DEFINE_string('results', 'results/reliability', 'Folder of the records.')
_OUTPUT = flags.DEFINE_string('output', 'RELIABILITY.md', 'File to write.')


def main():
  inputs = {prove: _PROCESSES.value if prove is fuzz.process else _INPUTS.value
            for prove in fuzz.PROPERTIES}
  results, output = pathlib.Path(_RESULTS.value), pathlib.Path(_OUTPUT.value)
  counts = [fuzz.run(prove, number) for prove, number in inputs.items()]
  document.write(results, 'fuzz', counts)
  document.render(results, output)


if __name__ == '__main__':
  cli.run(main, unwinds=True)
