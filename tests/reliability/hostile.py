"""Folders that somebody made to do harm: endless files, pipes, links, huge sizes, odd signs."""

from collections.abc import Callable, Iterator
import functools
import json
import os
import pathlib

from maes_jax import checkpoints
from maes_jax import trained
from maes_jax.training.workdir import Workdir
from tests.reliability import attempts
from tests.reliability import damage
from tests.reliability import scenarios

HEAD = '''## Hostile folders

Seals, configs, logs and steps that were made to do harm; each was loaded and resumed. *Done*: what
came back is what was saved, from this step or the one before it, bit for bit.
'''

_DEEP, _LONG, _SIGNS = '[' * 200_000, 'x' * 20_000_000, '\x1b]0;title\x07\x1b[2J'
_HUGE: tuple[dict, ...] = (
    {'units': 2**30}, {'width': 2**30}, {'seeds': 2**30}, {'units': 2**30, 'width': 2**30},
    {'output_hidden': 2**30}, *({'model': model, 'units': 2**30, 'write_bias': None,
                                 'gamma_bias': None} for model in ('ntm', 'dnc', 'lstm')))


def _text(content: str) -> Callable[[pathlib.Path], None]:
  def act(path):
    path.write_text(content)
  return act


def _instead(make: Callable[[pathlib.Path], None]) -> Callable[[pathlib.Path], None]:
  def act(path):
    path.unlink()
    make(path)
  return act


# What is put in the place of a file.
FORMS: dict[str, Callable[[pathlib.Path], None]] = {
    'a pipe': _instead(os.mkfifo),
    'an endless device': _instead(lambda path: path.symlink_to('/dev/zero')),
    'a link to a folder': _instead(lambda path: path.symlink_to('/')),
    'a link to itself': _instead(lambda path: path.symlink_to(path)),
    'a folder': _instead(pathlib.Path.mkdir),
    'a hole of 4 TiB': lambda path: os.truncate(path, 2**42),
    'deep nesting': _text(_DEEP + '\n'),
    'a long text': _text(json.dumps({_LONG: _LONG}) + '\n'),
    'signs that terminals obey': _text(json.dumps({_SIGNS: _SIGNS}) + '\n'),
}
# What a seal may name.
NAMES = ('/dev/zero', '/dev/stdin', '/etc/passwd', '../../outside', '..', '', '.', _SIGNS, _LONG)


def table(made: scenarios.Made, scratch: pathlib.Path, most: int | None = None) -> list[dict]:
  """A row for each kind of harm; `scratch` is a folder for the copies."""
  uses = {'loaded': trained.load, 'resumed': functools.partial(_resume, made.run)}

  def tried(harms):
    for name, harm in harms:
      for how, use in uses.items():
        yield f'{name}, {how}', functools.partial(_tried, use, harm, made.run, scratch)

  return attempts.table({
      'A file replaced by what it must not be.': tried(_replaced(made.run)),
      'A seal that names what is none of its files.': tried(_sealed(made.run)),
      'A config of impossible sizes whose fingerprint fits.': tried(_sized())}, most)


def _tried(use, harm, run, scratch) -> str:
  copy = attempts.copied(run, scratch)
  harm(copy)
  return attempts.in_a_line(lambda: _same(run, use(copy)))


def _same(run, restored):
  """What is loaded is what was saved; a resume has compared it already."""
  if isinstance(restored, trained.Trained):
    whole = trained.load(run)
    attempts.promise(
        restored.iterations < whole.iterations or
        checkpoints.digests(restored.saved) == checkpoints.digests(whole.saved), 'what was saved')


def _resume(run, copy):
  attempts.promise(damage.resume(run, copy) != damage.DIFFERENT, 'what was saved')


def _replaced(run) -> Iterator[tuple[str, Callable]]:
  for path in damage.files_of(run):
    inner = path.relative_to(run)
    for name, put in FORMS.items():
      yield f'{name} as {inner}', lambda copy, put=put, inner=inner: put(copy / inner)


def _sealed(run):
  step = checkpoints.steps(run / 'checkpoints')[0]

  def name_it(name, copy):
    seal = copy / 'checkpoints' / f'{step}.json'
    seal.write_text(json.dumps({**json.loads(seal.read_text()), name: '0' * 32}))

  for name in NAMES:
    yield f'{name[:20]!r} in a seal', functools.partial(name_it, name)


def _sized():
  for change in _HUGE:
    yield str(change), functools.partial(_resize, change)


def _resize(change, copy):
  """Changes the config, and makes every step one of the new config's."""
  workdir = Workdir(copy)
  file = copy / 'config.json'
  file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
  for step in checkpoints.steps(workdir.checkpoints):
    metadata = workdir.checkpoints / str(step) / '_CHECKPOINT_METADATA'
    values = json.loads(metadata.read_text())
    values['custom_metadata']['run'] = workdir.fingerprint
    metadata.write_text(json.dumps(values))
    (workdir.checkpoints / f'{step}.json').unlink()
