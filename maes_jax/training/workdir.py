"""The folder of one training run: config.json, metrics.jsonl, TensorBoard files, checkpoints."""

from collections.abc import Mapping
import dataclasses
import json
import os
import pathlib
from typing import Any

from maes_jax import config as config_lib
from maes_jax import errors
from maes_jax import presets
from maes_jax.config import Config


@dataclasses.dataclass(frozen=True)
class Workdir:
  """Where a run lives."""
  path: pathlib.Path

  @property
  def checkpoints(self) -> pathlib.Path:
    return self.path / 'checkpoints'

  @property
  def metrics(self) -> pathlib.Path:
    return self.path / 'metrics.jsonl'

  @property
  def tensorboard(self) -> pathlib.Path:
    return self.path / 'tensorboard'

  def claim(self, config: Config):
    """Makes the folder a run of this config; one of another config is an error, left as it is."""
    try:
      if self._config_file.exists():
        self._check_same(config)
      else:
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self._config_file, config.to_json())
    except OSError as error:
      raise errors.UserError(f'workdir {self.path} cannot be used: {error.strerror}; '
                             'choose a folder that you may write to') from error

  def read_config(self) -> Config:
    """The config of the run that lives here; options that it does not name yet are resolved."""
    try:
      values = json.loads(self._config_file.read_text())
    except OSError as error:
      raise errors.UserError(f'no training run in {self.path} ({self._config_file.name}: '
                             f'{error.strerror}); give the workdir of one') from error
    except ValueError as error:
      raise errors.UserError(f'{self._config_file} is damaged ({error}); '
                             'restore it from a copy or train again') from error
    return presets.resolve(Config.from_dict(values))

  @property
  def _config_file(self):
    return self.path / 'config.json'

  def _check_same(self, config):
    differing = config_lib.differences(self.read_config(), config)
    if differing:
      raise errors.UserError(f'workdir {self.path} holds a run of another config '
                             f'({"; ".join(differing)}); use the same flags or another workdir')


def write_atomically(path: pathlib.Path, text: str):
  """Writes a whole file or nothing."""
  temporary = path.with_name(path.name + '.tmp')
  with temporary.open('w') as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())
  temporary.replace(path)


def write_result(path: pathlib.Path, result: Mapping[str, Any]):
  """Writes a result as JSON, whole or not at all; an unwritable place is a UserError."""
  write_text(path, json.dumps(result, indent=1) + '\n')


def write_text(path: pathlib.Path, text: str):
  """Writes a file that a user asked for, and the folders above it."""
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
  except OSError as error:
    raise errors.UserError(f'cannot write {path}: {error.strerror}; '
                           'choose a file in a folder that you may write to') from error
