"""The flags that name files and folders: `~` is the home folder, a bucket is refused in a line."""

from absl import flags

from maes_jax import files

NAMES = ('workdir', 'checkpoint', 'checkpoints', 'encoder', 'results', 'json', 'check', 'proof',
         'figure', 'html', 'png', 'gif', 'output', 'benchmarks', 'readme')


def resolve():
  """Puts the paths that are meant in the place of those that were given, before any work.

  Raises:
    UserError: one is not of this machine.
  """
  for name in NAMES:
    if name in flags.FLAGS and flags.FLAGS[name].value is not None:
      flags.FLAGS[name].value = str(files.local(flags.FLAGS[name].value))
