"""Files that are none of ours among the checkpoints of a run."""

from collections.abc import Collection
import functools
import pathlib

from . import attempts
from . import crash
from . import damage
from . import scenarios
from maes_jax import checkpoints
from maes_jax import trained

HEAD = '''## Stray files

Among the checkpoints of a run lies what somebody or some program has left there; the run is loaded,
resumed and saved again, and what lies there stays as it is.
'''
NAMES = ('notes.json', '{step} (copy).json', '{step}.json~', '9999', '0{step}', '+{step}', '²',
         '٣٠٠', '.DS_Store', 'Thumbs.db', 'lost+found', '{step}.saving', '.{step}.swp', 'x' * 255)


def run(folder: pathlib.Path) -> list[dict]:
  """The `table` of a run made for it, in an empty folder."""
  crash.finish(scenarios.encoder(), folder / 'run', folder)
  return table(folder / 'run' / 'run', folder / 'scratch')


def table(
    run: pathlib.Path, scratch: pathlib.Path, names: Collection[str] = NAMES) -> list[dict]:
  """A row for stray files and one for stray folders; see `hostile.table`."""
  found = []
  for what, put in (('A file beside the steps.', _file), ('A folder beside the steps.', _folder)):
    row = attempts.row(what)
    for name in names:
      if put is _folder and name == '9999':
        continue  # That is what a step looks like.
      attempts.count(row, name, functools.partial(_tried, run, scratch, name, put))
    found.append(row)
  return found


def _file(path):
  path.write_text('mine')


def _folder(path):
  path.mkdir()
  (path / 'file').write_text('mine')


def _tried(run, scratch, name, put) -> str:
  copy = attempts.copied(run, scratch) / 'checkpoints'
  newest = checkpoints.steps(copy)[0]
  path = copy / name.format(step=newest)
  put(path)
  attempts.promise(damage.outcome(run, scratch) == damage.HARMLESS, 'the newest step comes back')
  attempts.promise(trained.load(scratch).iterations == newest, 'the newest step is loaded')
  checkpoints.save(copy, newest + 100, trained.load(scratch).saved)
  attempts.promise(checkpoints.steps(copy) == [newest + 100, newest], 'saving goes on')
  left = path / 'file' if put is _folder else path
  attempts.promise(left.read_text() == 'mine', 'it stays as it is')
  return attempts.DONE
