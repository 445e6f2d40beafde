"""Odd names and contents among the steps of a run; see `properties`."""

from collections.abc import Callable
import functools
import json
import pathlib
import shutil
import tempfile

from hypothesis import strategies as st
import numpy as np

from maes_jax import checkpoints
from maes_jax import files
from maes_jax import stored
from tests.reliability import attempts

STEP = 100
TREE = {'w': np.arange(6.).reshape(2, 3), 'n': np.array([STEP])}
# What a folder can hold: no slash, no NUL, at most 255 bytes.
NAMES = st.text(st.characters(exclude_characters='/\0', exclude_categories=['Cs']), min_size=1,
                max_size=40).filter(lambda name: name not in ('.', '..'))
DIGITS = st.text('0123456789²٣+-_ .', min_size=1, max_size=6).filter(str.strip)
PATHS = st.one_of(NAMES, st.builds('{}/{}'.format, st.sampled_from(
    ['..', '', f'{STEP}', '/dev', f'{STEP}/state', '~', '/proc/self/fd']), NAMES))
VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=40), st.lists(st.none(), max_size=2))


@functools.cache
def _whole() -> pathlib.Path:
  """A folder with one step, made once for all inputs."""
  folder = pathlib.Path(tempfile.mkdtemp())
  checkpoints.save(folder / 'checkpoints', STEP, TREE)
  return folder / 'checkpoints'


def _restores(folder) -> bool:
  """Whether the step comes back, as it was saved, or a line says why not."""
  def restore():
    _, found = checkpoints.restore(folder, TREE)
    attempts.promise(checkpoints.digests(found) == checkpoints.digests(TREE), 'what was saved')

  with stored.quiet(checkpoints.__name__):  # Each input is a damaged step.
    return attempts.in_a_line(restore) == attempts.DONE


def seal(content: dict, folder: pathlib.Path) -> bool:
  """A seal that names any files, with any digests."""
  copy = shutil.copytree(_whole(), folder / 'checkpoints')
  whole = json.loads((copy / f'{STEP}.json').read_text())
  (copy / f'{STEP}.json').write_text(json.dumps({**whole, **content}))
  accepted = _restores(copy)
  attempts.promise(accepted == (not content), 'only whole seals are taken')
  return accepted


def stray(names: list[str], folder: pathlib.Path) -> bool:
  """Files of any names beside the steps, when a run is restored and saved."""
  copy = shutil.copytree(_whole(), folder / 'checkpoints')
  names = [name for name in names if not (copy / name).exists() and name != f'{STEP + 100}']
  for name in names:
    files.write_atomically(copy / name, 'mine')
  attempts.promise(checkpoints.steps(copy) == [STEP] and _restores(copy), 'the step comes back')
  checkpoints.save(copy, STEP + 100, TREE)
  attempts.promise(checkpoints.steps(copy) == [STEP + 100, STEP], 'saving goes on')
  attempts.promise(all((copy / name).read_text() == 'mine' for name in names
                       if name != f'{STEP + 100}.json'), 'they stay as they are')
  return True


def place(text: str, folder: pathlib.Path) -> bool:
  """A path of a result: of this machine, or of another."""
  del folder
  accepted = attempts.in_a_line(lambda: files.local(text)) == attempts.DONE
  attempts.promise(accepted or ':/' in text, 'only buckets are refused')
  return accepted


# Property -> what it is tried on.
PROPERTIES: dict[Callable, st.SearchStrategy] = {
    seal: st.dictionaries(PATHS, VALUES, max_size=2),
    stray: st.lists(st.one_of(NAMES, DIGITS, DIGITS.map('{}.json'.format)), max_size=3,
                    unique=True),
    place: st.one_of(st.text(max_size=20), st.builds(
        '{}:{}{}'.format, st.sampled_from(['gs', 's3', 'hdfs', 'c']), st.sampled_from(
            ['/', '//', '']), st.text(max_size=10))),
}
