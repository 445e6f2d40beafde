"""The folder of one training run: config.json, metrics.jsonl, TensorBoard files, checkpoints."""

from collections.abc import Iterator, Mapping
import contextlib
import dataclasses
import json
import pathlib
from typing import Any

from maes_jax import config as config_lib
from maes_jax import errors
from maes_jax import files
from maes_jax import tasks
from maes_jax import families
from maes_jax.config import Config
from maes_jax.training import encoders
from maes_jax.training import lock

_MOST_CONFIG = 2**20  # Bytes.
# What a config.json that does not name these options yet was trained with.
_BEFORE = {'ring': 'whole', 'phase_bit': False, 'hard_batches': 0, 'restart_every': 0}
# The same of a task whose cells have other heads by now.
_SWAP, _SWAP_BEFORE = 'interruption_swap', {'interruption_swap/y_solver': {'head': 'jump'}}
# Keys of config.json beside the fields of `Config`.
_ENCODER = 'encoder_digest'
_DATA = 'data_digests'  # By task, of those that draw from a user's examples.


@dataclasses.dataclass(frozen=True)
class Workdir:
  """Where a run lives; `~` in its path stands for the home folder.

  Raises:
    UserError: the path is not of this machine, e.g. that of a bucket.
  """
  path: pathlib.Path

  def __post_init__(self):
    object.__setattr__(self, 'path', files.local(self.path))

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
  def claim(
      self, config: Config, pretrained: Mapping[str, Any] | None = None) -> Iterator['Claimed']:
    """Makes the folder a run of this config, and this process's alone while the context lasts.

    Args:
      config: what the run is.
      pretrained: what `config.encoder` names, by top-level key. A run goes on with the encoder
        that it began with, wherever that lies by now.

    Yields:
      The same workdir, for those who write in it.

    Raises:
      UserError: the folder is another process's, holds a run of another config, has lost its
        config or cannot be written; it is left as it is.
    """
    with contextlib.ExitStack() as held:
      try:
        self.path.mkdir(parents=True, exist_ok=True)
        files.sync_folder(self.path.parent)
        taken = held.enter_context(lock.exclusive(self.path / 'lock'))
        self._take(config, pretrained or {})
        files.drop_temporary(self.path)
        claimed = Claimed(self.path, self.fingerprint, taken)
      except OSError as error:
        raise errors.UserError(f'workdir {self.path} cannot be used: {error.strerror}; '
                               'choose a folder that you may write to') from error
      yield claimed

  def read_config(self) -> Config:
    """The config of the run that lives here; options that it does not name yet are resolved."""
    return config_of(self._read())

  @property
  def fingerprint(self) -> str:
    """What tells this run's checkpoints from another's: a digest of its config."""
    return files.digest(self._config_file)

  def check(self):
    """Raises a UserError where the folder is no longer the one that was claimed."""

  @contextlib.contextmanager
  def writing(self) -> Iterator[None]:
    """Says what the disk says, and what to do, where a run writes in its folder or reads there."""
    try:
      yield
    except OSError as error:
      raise errors.UserError(
          f'cannot write in {self.path}: {error.strerror or error}; free some space and run the '
          'same command again to go on from the last checkpoint') from error

  @property
  def _config_file(self):
    return self.path / 'config.json'

  def _read(self) -> Any:
    try:
      return files.read_json(self._config_file, _MOST_CONFIG)
    except OSError as error:
      raise errors.UserError(f'no training run in {self.path} ({self._config_file.name}: '
                             f'{error.strerror}); give the workdir of one') from error
    except ValueError as error:
      raise errors.UserError(f'{self._config_file} is damaged ({error}); '
                             'restore it from a copy or train again') from error

  def _take(self, config, pretrained):
    if self._config_file.exists():
      self._check_same(config, pretrained)
    elif self.checkpoints.exists():
      raise errors.UserError(f'{self.path} holds checkpoints but no {self._config_file.name}: what '
                             'they were trained with is lost; restore it or use another workdir')
    else:
      files.write_atomically(self._config_file, _to_json(config, pretrained))

  def _check_same(self, config, pretrained):
    values = self._read()
    here = config_of(values)
    same = pretrained and encoders.same(
        pretrained, values.get(_ENCODER), self.checkpoints, here, config)
    differing = config_lib.differences(here, dataclasses.replace(
        config, encoder=here.encoder, encoder_model=here.encoder_model) if pretrained else config)
    if pretrained and not same:
      differing.append(f'encoder: that of {here.encoder!r} as it was, not what '
                       f'{config.encoder!r} holds')
    noted, found = values.get(_DATA, {}), _data_digests(here)
    differing += [f'examples of task {name!r}: others than it began with, or asked otherwise'
                  for name in here.task if not _same_examples(noted.get(name), found.get(name))]
    if differing:
      raise errors.UserError(f'workdir {self.path} holds a run of another config '
                             f'({"; ".join(differing)}); use the same flags or another workdir')


@dataclasses.dataclass(frozen=True)
class Claimed(Workdir):
  """A workdir as its process holds it: what it was then is what is compared with ever after."""
  fingerprint: str = ''
  held: lock.Lock = None

  def check(self):
    if not self.held.stands():
      raise errors.UserError(
          f'{self.path} is no longer the folder that this run began in: it, or its file "lock", '
          'was moved, removed or replaced; nothing was written there: run the same command on the '
          'folder where it is now to go on from the last checkpoint')


def config_of(values: Any) -> Config:
  """The config among the values of a config.json, whatever version wrote it.

  Raises:
    UserError: they are none of a config.
  """
  if isinstance(values, dict):
    values = {name: value for name, value in values.items() if name not in (_ENCODER, _DATA)}
    values = {**_BEFORE, **values}
    if (values.get('model'), values.get('task')) == ('maes', [_SWAP]):
      values.setdefault('solvers', _SWAP_BEFORE)
  return families.resolve(Config.from_dict(values))


def _to_json(config, pretrained):
  values = dataclasses.asdict(config)
  if pretrained:
    values[_ENCODER] = encoders.digest(pretrained)
  if found := _data_digests(config):
    values[_DATA] = found
  return json.dumps(values, indent=2) + '\n'


def _same_examples(noted, found) -> bool:
  """Runs of before noted the digest of the arrays alone."""
  return noted in (found, found and found.partition(' ')[0])


def _data_digests(config):
  """By task of a user's examples, what tells them from others."""
  found = {name: getattr(tasks.TASKS.get(name), 'digest', '') for name in config.task}
  return {name: digest for name, digest in found.items() if digest}


def write_result(path: pathlib.Path, result: Mapping[str, Any]):
  """Writes a result as JSON, whole or not at all; an unwritable place is a UserError."""
  write_text(path, json.dumps(result, indent=1) + '\n')


def write_text(path: pathlib.Path, text: str):
  """Writes a file that a user asked for, and the folders above it."""
  path = files.local(path)
  with _writing(path, 'a file in a folder'):
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_atomically(path, text)


def check_file(path: pathlib.Path):
  """Before the work that a file is to hold: says what would keep it from being written then."""
  with _writing(path, 'a file in a folder'):
    files.check_writable(path)


def check_folder(path: pathlib.Path):
  """The same of a folder for several."""
  with _writing(path, 'a folder'):
    files.check_folder(path)


@contextlib.contextmanager
def _writing(path, kind):
  try:
    yield
  except OSError as error:
    raise errors.UserError(f'cannot write {path}: {error.strerror}; choose {kind} that you may '
                           'write to') from error
