"""Files that are none of ours among the checkpoints of a run."""

import functools
import pathlib

from maes_jax import checkpoints
from maes_jax import trained
from tests.reliability import attempts
from tests.reliability import damage
from tests.reliability import scenarios

HEAD = '''## Stray files

Among the checkpoints of a run lies what somebody or some program has left there; the run is loaded,
resumed and saved again, and what lies there stays as it is.
'''
NAMES = ('{step} (copy).json', '²', 'notes.json', '{step}.json~', '0{step}', '+{step}', '٣٠٠',
         '.DS_Store', 'Thumbs.db', 'lost+found', '{step}.saving', '.{step}.swp', 'x' * 255)
_LIKE_A_STEP = '9999'  # What a folder must not be called.


def table(made: scenarios.Made, scratch: pathlib.Path, most: int | None = None) -> list[dict]:
  """A row for stray files and one for stray folders; `scratch` is a folder for the copies."""
  def tried(put, names):
    return [(name, functools.partial(_tried, made.run, scratch, name, put)) for name in names]

  return attempts.table({'A file beside the steps.': tried(_file, (*NAMES, _LIKE_A_STEP)),
                         'A folder beside the steps.': tried(_folder, NAMES)}, most)


def _file(path):
  path.write_text('mine')
  return path


def _folder(path):
  path.mkdir()
  return _file(path / 'file')


def _tried(run, scratch, name, put) -> str:
  copy = attempts.copied(run, scratch) / 'checkpoints'
  newest = checkpoints.steps(copy)[0]
  left = put(copy / name.format(step=newest))
  attempts.promise(damage.outcome(run, scratch) == damage.HARMLESS, 'the newest step comes back')
  attempts.promise(trained.load(scratch).iterations == newest, 'the newest step is loaded')
  checkpoints.save(copy, newest + 100, trained.load(scratch).saved)
  attempts.promise(checkpoints.steps(copy) == [newest + 100, newest], 'saving goes on')
  attempts.promise(left.read_text() == 'mine', 'it stays as it is')
  return attempts.DONE
