"""Compiled programs kept between launches: a second one finds the first one's."""

import contextlib
import os
import pathlib
import re
import warnings

import jax

_FOLDER = pathlib.Path(
    os.path.expanduser(os.environ.get('XDG_CACHE_HOME') or '~/.cache')) / 'maes_jax'
_DAMAGED = "Error reading persistent compilation cache entry for '(.*)'"


def keep():
  """Keeps what takes long to compile; what was kept and is damaged gives way to a new one.

  JAX warns of an entry that it cannot read, and compiles, but keeps nothing where an entry is: what
  a full disk or a kill cut off would cost that time at every launch.
  """
  if not _FOLDER.is_absolute():
    return  # This user has no home.
  jax.config.update('jax_compilation_cache_dir', str(_FOLDER))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)
  warnings.filterwarnings('always', message=_DAMAGED)
  warnings.showwarning = _instead_of(warnings.showwarning)


def _instead_of(show):
  """A warning of a damaged entry drops it, another one is shown as before."""
  def drop_or_show(message, *where, **more):
    if damaged := re.match(_DAMAGED, str(message)):
      _drop(damaged[1])
    else:
      show(message, *where, **more)
  return drop_or_show


def _drop(program):
  """All that is kept of programs of this name; JAX does not say which of them it was."""
  with contextlib.suppress(OSError):
    for path in _FOLDER.glob(f'{program}-*-cache'):
      path.unlink(missing_ok=True)
