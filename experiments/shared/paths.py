"""The flags that name files and folders: `~` is the home folder, a bucket is refused in a line."""

import pathlib

from absl import flags

from maes_jax import errors
from maes_jax import files
from maes_jax.training import workdir

NAMES = ('workdir', 'checkpoint', 'checkpoints', 'encoder', 'results', 'json', 'check', 'proof',
         'figure', 'html', 'png', 'gif', 'output', 'benchmarks', 'readme')
NO_README = 'readme', ''  # As `ledger` has it.
WRITTEN = ('json', 'figure', 'html', 'png', 'gif', 'output', 'benchmarks', 'readme')


def resolve():
  """Puts the paths that are meant in the place of those that were given, before any work.

  Raises:
    UserError: one is empty or not of this machine, a result cannot be written where it shall be,
      or two would go into one file.
  """
  given = {name: flags.FLAGS[name] for name in NAMES if name in flags.FLAGS}
  named = {name: _local(flag) for name, flag in given.items()
           if flag.value is not None and (name, flag.value) != NO_README}
  for name, path in named.items():
    given[name].value = str(path)
    if name in WRITTEN and given[name].present:  # Not what is a default.
      workdir.check_file(path)
  _check_distinct({name: named[name].resolve() for name in WRITTEN if name in named})


def _local(flag):
  if not flag.value:  # As of a variable of a shell that is not set; else it is the current folder.
    raise errors.UserError(f'--{flag.name} is empty; name a file or a folder, or leave it out')
  return files.local(flag.value)


def _check_distinct(written):
  taken: dict[pathlib.Path, str] = {}
  for name, path in written.items():
    if path.exists() and not path.is_file():  # A terminal takes both, a folder none.
      continue
    if path in taken:
      raise errors.UserError(f'--{taken[path]} and --{name} are both {path}; give each a file of '
                             'its own')
    taken[path] = name
