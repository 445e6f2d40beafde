"""One JSON record per run: what was asked, on what machine, and what came out for every seed."""

from collections.abc import Collection, Iterable, Iterator, Mapping
import contextlib
import dataclasses
import importlib.metadata
import os
import pathlib
import platform
from typing import Any

import jax

from maes_jax import errors
from maes_jax import files
from maes_jax.config import Config
from maes_jax.training import workdir

Record = Mapping[str, Any]

_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')
KEYS = frozenset({'name', 'config', 'machine', 'versions', 'seconds', 'seeds'})


def path(results: pathlib.Path, name: str) -> pathlib.Path:
  return results / f'{name}.json'


def write(results: pathlib.Path, name: str, config: Config, seeds, **more):
  """Writes the record of a run, whole or not at all."""
  settings = dataclasses.asdict(config)
  del settings['encoder']  # A path of this machine; the run's name says which encoder it was.
  record = {'name': name, 'config': settings, 'machine': machine(), 'versions': versions(),
            **more, 'seeds': seeds}
  workdir.write_result(path(results, name), record)


def read(results: pathlib.Path, name: str) -> Record | None:
  """The record of a run, or None where there is none yet.

  Raises:
    UserError: the file is not a record.
  """
  return load(path(results, name), KEYS, mend='run this part of the paper again')


def load(file: pathlib.Path, keys: Collection[str], mend: str) -> dict[str, Any] | None:
  """The record in a file, or None where there is none yet.

  Raises:
    UserError: the file is not a record with these keys; says how to `mend` that.
  """
  if not file.exists():
    return None
  try:
    record = files.read_json(file)
  except (OSError, ValueError) as error:
    raise errors.UserError(f'record {file} is damaged ({error}); restore it or delete it and '
                           f'{mend}') from error
  if not isinstance(record, dict) or not record.keys() >= set(keys):
    raise errors.UserError(f'record {file} is damaged (it lacks some of {sorted(keys)}); '
                           f'restore it or delete it and {mend}')
  config, seeds = record.get('config', {}), record.get('seeds', [])
  if not (isinstance(config, dict) and isinstance(seeds, list) and
          all(isinstance(seed, dict) for seed in seeds)):
    raise errors.UserError(f'record {file} is damaged (its config or its seeds are none); restore '
                           f'it or delete it and {mend}')
  return record


def check_not_less(file: pathlib.Path, asked: Mapping[str, float], had: Mapping[str, float]):
  """Whether what replaces a record is as large, by the names of flags.

  Raises:
    UserError: the record has more of something.
  """
  if any(asked[name] < value for name, value in had.items()):
    said = ', '.join(f'--{name}={value}' for name, value in had.items())
    raise errors.UserError(f'record {file} is of {said}, and what is asked has less of one of '
                           'these; ask for as much or give another folder of --results')


@contextlib.contextmanager
def legible(results: pathlib.Path) -> Iterator[None]:
  """While records are gone through: what is wrong deep within one is told in a line, too.

  Raises:
    UserError: in the place of what a part that is missing, or of another kind, ends with.
  """
  try:
    yield
  except errors.UserError:
    raise
  except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
    raise errors.UserError(
        f'a record in {results} is damaged: one of its parts is missing or of another kind '
        f'({type(error).__name__}: {error}); restore the one that was changed, or delete it and '
        'run it again') from error


def machine() -> str:
  """What computed, in words."""
  device = jax.devices()[0]
  return f'{os.cpu_count()} x {platform.machine()} cores, {device.platform} {device.device_kind}'


def versions() -> dict[str, str]:
  found = {name: importlib.metadata.version(name) for name in _PACKAGES}
  return {'python': platform.python_version(), **found}


def versions_in(records: Iterable[Record]) -> list[str]:
  """A line on each set of versions that records were made with."""
  lines = {', '.join(f'{k} {v}' for k, v in record['versions'].items()) for record in records}
  return [f'Versions: {line}.' for line in sorted(lines)]
