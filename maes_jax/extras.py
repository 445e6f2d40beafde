"""Packages that only a part of the library needs: `pip install 'maes_jax[all]'` brings them all."""

from collections.abc import Iterator
import contextlib
import importlib.util
import sys

from maes_jax import errors

# Extra -> the packages it brings, as they are imported.
EXTRAS = {
    'figures': ('matplotlib',),
    'pages': ('bokeh', 'jinja2'),
    'pictures': ('sklearn',),
    'progress': ('tqdm',),
    'tensorboard': ('tensorboardX',),
    'test': ('hypothesis',),
}
# Those that are installed by another name.
INSTALLED = {'sklearn': 'scikit-learn'}


class MissingPackage(errors.UserError, ImportError):
  """A package of an extra is not installed; says what to install."""


def missing(extra: str) -> list[str]:
  """The packages of an extra that are not installed, as they would be."""
  return [INSTALLED.get(name, name) for name in EXTRAS[extra]
          if importlib.util.find_spec(name) is None]


def need(extra: str, what: str):
  """Does nothing where the packages of an extra are there.

  Args:
    extra: a key of `EXTRAS`.
    what: what needs them, as the first word of the error.

  Raises:
    MissingPackage: some are not.
  """
  if lacking := missing(extra):
    raise MissingPackage(f'{what} needs {" and ".join(lacking)}, which this Python does not have; '
                         f'run: pip install {" ".join(lacking)}')


@contextlib.contextmanager
def hidden(name: str) -> Iterator[None]:
  """What is imported meanwhile does not find this package, unless it is imported already."""
  there = sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # Stands for no such module.
  try:
    yield
  finally:
    if there is None:
      sys.modules.pop(name, None)
