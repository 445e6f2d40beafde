"""The flags that name files and folders: `~` is the home folder, a bucket is refused in a line."""

import pathlib

from absl import flags

from maes_jax import errors
from maes_jax import files

NAMES = ('workdir', 'checkpoint', 'checkpoints', 'encoder', 'results', 'json', 'check', 'proof',
         'figure', 'html', 'png', 'gif', 'output', 'benchmarks', 'readme')
WRITTEN = ('json', 'figure', 'html', 'png', 'gif', 'output', 'benchmarks', 'readme')


def resolve():
  """Puts the paths that are meant in the place of those that were given, before any work.

  Raises:
    UserError: one is not of this machine, or two results would go into one file.
  """
  given = {}
  for name in NAMES:
    if name in flags.FLAGS and flags.FLAGS[name].value is not None:
      given[name] = files.local(flags.FLAGS[name].value)
      flags.FLAGS[name].value = str(given[name])
  _check_distinct({name: given[name].resolve() for name in WRITTEN if name in given})


def _check_distinct(written):
  taken: dict[pathlib.Path, str] = {}
  for name, path in written.items():
    if path.exists() and not path.is_file():  # A terminal takes both, a folder none.
      continue
    if path in taken:
      raise errors.UserError(f'--{taken[path]} and --{name} are both {path}; give each a file of '
                             'its own')
    taken[path] = name
