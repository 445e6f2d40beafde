"""Tries odd input in bulk and writes RELIABILITY.md.

  python -m tests.reliability.fuzz
"""

from tests.reliability import document
from tests.reliability import properties


def main():
  options = document.options(
      __doc__, inputs=(500, 'Inputs of each kind.'), processes=(40, 'Real processes.'))
  document.write(options.results, 'fuzz', [
      properties.run(prove, options.processes if prove is properties.process else options.inputs)
      for prove in properties.PROPERTIES])
  options.output.write_text(document.render(options.results))


if __name__ == '__main__':
  main()
