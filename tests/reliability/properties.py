"""Odd input in bulk: whatever comes in, it ends in success or in one clear line.

A property takes what hypothesis thinks up and a folder; it returns whether the input was accepted
and raises where the promise is broken. `PROPERTIES` lists them all.
"""

from collections.abc import Callable, Sequence
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from absl import flags
import hypothesis
from hypothesis import strategies as st
import numpy as np

from experiments.shared import cli
from experiments.shared import records
from maes_jax import errors
from maes_jax import memory
from maes_jax import models
from maes_jax import families
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import metrics
from maes_jax.training.workdir import Workdir
from tests.reliability import attempts
from tests.reliability import fuzz_steps
from tests.reliability import scenarios
from tests.reliability import sizes

HANG = 300  # Seconds after which a process counts as hanging.
# What each binary is asked for last: a run or a part of the paper that there is none of.
BINARIES = {'transfer': '--workdir=run --encoder=none', 'evaluate': '--checkpoint=none',
            'reproduce': '--workdir=run --only=nothing', 'ship': '--workdir=none'}
FIELDS = {field.name: field for field in dataclasses.fields(Config)}
NAMES = st.sampled_from(
    [*families.FAMILIES, *tasks.TASKS, 'plain', 'move_first', 'linear', 'maess'])
# No NUL: no operating system passes one on in an argument.
TEXT = st.text(st.characters(exclude_characters='\0', exclude_categories=['Cs']), max_size=20)
NUMBERS = st.one_of(
    st.integers(-2, 40), st.integers(), st.floats(), st.sampled_from([2**31, -2**31, 1e400, 1e-50]))
JSON = st.recursive(st.one_of(st.none(), st.booleans(), NUMBERS, NAMES, TEXT),
                    lambda item: st.lists(item, max_size=3), max_leaves=4)

cli.define_config_flags()


def _flags() -> st.SearchStrategy:
  """A command line: mostly known flags, with fitting or any numbers, names and nonsense."""
  known = st.sampled_from(sorted(FIELDS))
  values = st.one_of(NUMBERS.map(str), NAMES, TEXT, st.lists(NAMES, max_size=3).map(','.join))
  odd = st.builds('--{}={}'.format, st.one_of(known, known, TEXT), values)
  likely = known.flatmap(lambda name: _likely(FIELDS[name]).map(f'--{name}={{}}'.format))
  return st.lists(st.one_of(likely, likely, likely, odd, TEXT), min_size=1, max_size=4)


def _likely(field) -> st.SearchStrategy:
  """Values that a field may well take, alone or beside its defaults."""
  if field.metadata['choices']:
    return st.sampled_from(field.metadata['choices'])
  return {'model': st.sampled_from(sorted(families.FAMILIES)),
          'task': st.lists(st.sampled_from(sorted(tasks.TASKS)), min_size=1, unique=True).map(
              ','.join)}.get(field.name, st.integers(1, 30).map(str))


@st.composite
def _damaged(draw, whole: bytes):
  """A file with bytes changed, taken out or put in somewhere."""
  start = draw(st.integers(0, len(whole)))
  end = draw(st.integers(start, min(start + 20, len(whole))))
  return whole[:start] + draw(st.binary(max_size=20)) + whole[end:]


def command_line(words: list[str], folder: pathlib.Path) -> bool:
  """Flags of a training run, up to the workdir that is made for them."""
  flags.FLAGS.unparse_flags()
  try:
    cli.parse(['train', *words])
    config = families.resolve(cli.config_from_flags())
    models.check(config)
  except (SystemExit, errors.UserError) as error:
    attempts.promise(len(str(error).splitlines()) == 1, 'an error is one line')
    attempts.promise(not any(folder.iterdir()), 'nothing is written')
    return False
  with Workdir(folder / 'run').claim(config):
    attempts.promise(Workdir(folder / 'run').read_config() == config, 'it comes back as it was')
  return True


def mapping(values: dict, folder: pathlib.Path) -> bool:
  """A config from a mapping of names to anything."""
  del folder
  return _accepts(lambda: Config.from_dict(values))


def config_file(content: bytes, folder: pathlib.Path) -> bool:
  """A damaged config.json."""
  workdir = Workdir(folder)
  (folder / 'config.json').write_bytes(content)
  accepted = _accepts(workdir.read_config)
  attempts.promise((folder / 'config.json').read_bytes() == content, 'the file is left as it is')
  return accepted


def log_file(content: bytes, folder: pathlib.Path) -> bool:
  """A damaged metrics.jsonl."""
  (folder / 'metrics.jsonl').write_bytes(content)
  return _accepts(lambda: metrics.read(folder / 'metrics.jsonl'))


def record_file(content: bytes, folder: pathlib.Path) -> bool:
  """A damaged record."""
  (folder / 'run.json').write_bytes(content)
  return _accepts(lambda: records.read(folder, 'run'))


def library_call(shapes: Sequence[Sequence[int]], folder: pathlib.Path) -> bool:
  """Arrays of any shapes in a function of the library."""
  del folder
  arrays = dict(zip(('memory', 'attention', 'erase', 'add'), map(np.zeros, shapes)))
  try:
    memory.erase_and_add(**arrays)
  except AssertionError as error:
    attempts.promise(any(name in str(error) for name in arrays), 'the argument is named')
    return False
  return True


def process(command: tuple[str, list[str]], folder: pathlib.Path) -> bool:
  """A binary as a process of its own, on a workdir where nothing is."""
  binary, words = command
  done = subprocess.run(
      [sys.executable, '-m', f'experiments.{binary}', *words, *BINARIES[binary].split()],
      cwd=folder, env={**os.environ, 'PYTHONPATH': str(scenarios.ROOT)}, capture_output=True,
      text=True, timeout=HANG, stdin=subprocess.DEVNULL, check=False)
  attempts.promise(done.returncode in (0, 1), f'0 or 1, not {done.returncode}: {done.stderr}')
  attempts.promise('Traceback (most' not in done.stderr, f'no traceback: {done.stderr}')
  if done.returncode:
    attempts.promise(len(done.stderr.strip().splitlines()) == 1, f'one line: {done.stderr}')
    attempts.promise(not any(folder.iterdir()), 'nothing is written')
  return not done.returncode


def _accepts(call: Callable) -> bool:
  return attempts.in_a_line(call) == attempts.DONE


def _shape(axes: int) -> st.SearchStrategy:
  """Small shapes, mostly of so many axes."""
  sizes = st.integers(1, 2)
  return st.one_of(st.lists(sizes, min_size=axes, max_size=axes), st.lists(sizes, max_size=3))


CONFIG = Config().to_json().encode()
LOG = b''.join(json.dumps({'iteration': i, 'model': 0, 'loss': .5}).encode() + b'\n'
               for i in (100, 200))
RECORD = json.dumps({'name': 'run', 'config': {}, 'machine': '', 'versions': {}, 'seconds': 1.,
                     'seeds': []}).encode()

# Property -> what it is tried on.
PROPERTIES: dict[Callable, st.SearchStrategy] = {
    command_line: _flags(),
    mapping: st.dictionaries(st.one_of(st.sampled_from(sorted(FIELDS)), TEXT), JSON, max_size=4),
    config_file: _damaged(CONFIG),
    log_file: _damaged(LOG),
    record_file: _damaged(RECORD),
    library_call: st.tuples(_shape(2), _shape(1), _shape(1), _shape(1)),
    sizes.entrance: sizes.TRIALS,
    **fuzz_steps.PROPERTIES,
    process: st.tuples(st.sampled_from(sorted(BINARIES)), _flags()),
}


def run(prove: Callable, inputs: int, seed: int = 0) -> dict:
  """Tries a property on about so many inputs; a counterexample is raised, shrunk to its core."""
  counts = {'what': (prove.__doc__ or '').split('\n')[0], 'accepted': 0, 'refused': 0}

  @hypothesis.seed(seed)
  @hypothesis.settings(max_examples=inputs, database=None, deadline=None,
                       suppress_health_check=list(hypothesis.HealthCheck))
  @hypothesis.given(PROPERTIES[prove])
  def trial(value):
    with tempfile.TemporaryDirectory() as folder:
      accepted = prove(value, pathlib.Path(folder))
    counts['accepted' if accepted else 'refused'] += 1

  trial()
  return counts
