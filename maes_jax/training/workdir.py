"""The folder of one training run: config.json, metrics.jsonl, TensorBoard files, checkpoints."""

from collections.abc import Mapping
import contextlib
import dataclasses
import json
import pathlib
from typing import Any

from maes_jax import config as config_lib
from maes_jax import errors
from maes_jax import files
from maes_jax import presets
from maes_jax.config import Config
from maes_jax.training import lock


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

  @contextlib.contextmanager
  def claim(self, config: Config):
    """Makes the folder a run of this config, and this process's alone while the context lasts.

    Raises:
      UserError: the folder is another process's, holds a run of another config, has lost its
        config or cannot be written; it is left as it is.
    """
    with contextlib.ExitStack() as held:
      try:
        self.path.mkdir(parents=True, exist_ok=True)
        held.enter_context(lock.exclusive(self.path / 'lock'))
        self._take(config)
      except OSError as error:
        raise errors.UserError(f'workdir {self.path} cannot be used: {error.strerror}; '
                               'choose a folder that you may write to') from error
      yield

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
  def fingerprint(self) -> str:
    """What tells this run's checkpoints from another's: a digest of its config."""
    return files.digest(self._config_file)

  @property
  def _config_file(self):
    return self.path / 'config.json'

  def _take(self, config):
    if self._config_file.exists():
      self._check_same(config)
    elif self.checkpoints.exists():
      raise errors.UserError(f'{self.path} holds checkpoints but no {self._config_file.name}: what '
                             'they were trained with is lost; restore it or use another workdir')
    else:
      files.write_atomically(self._config_file, config.to_json())

  def _check_same(self, config):
    differing = config_lib.differences(self.read_config(), config)
    if differing:
      raise errors.UserError(f'workdir {self.path} holds a run of another config '
                             f'({"; ".join(differing)}); use the same flags or another workdir')


def write_result(path: pathlib.Path, result: Mapping[str, Any]):
  """Writes a result as JSON, whole or not at all; an unwritable place is a UserError."""
  write_text(path, json.dumps(result, indent=1) + '\n')


def write_text(path: pathlib.Path, text: str):
  """Writes a file that a user asked for, and the folders above it."""
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomically(path, text)
  except OSError as error:
    raise errors.UserError(f'cannot write {path}: {error.strerror}; '
                           'choose a file in a folder that you may write to') from error
