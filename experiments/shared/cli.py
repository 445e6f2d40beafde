"""What every binary does alike: flags from the config, one-line errors, compiled code kept."""

from . import stopping  # First, as signals may come while the others are imported.

from collections.abc import Callable
import contextlib
import dataclasses
import functools
import importlib
import os
import re
import sys
import traceback
import types
import typing
from typing import Any, NoReturn

from absl import app
from absl import flags
from absl import logging

from . import cluster
from . import compiled
from . import garbage
from . import output
from . import paths
from . import usage
from maes_jax import devices
from maes_jax import errors
from maes_jax import options
from maes_jax.config import Config
from maes_jax.training import loop

_PLUGINS = flags.DEFINE_list(
    'plugins', [], 'Modules of your own to import first: they register tasks and models.')
_OF_TRANSFER = ('encoder', 'encoder_model', 'unfreeze')
# How XLA's errors begin. Some come as JaxRuntimeError, those of a call's fast path as ValueError.
_STATUS = re.compile('[A-Z_]+: ')
_NO_PLATFORM = 'Unable to initialize backend'


def run(main: Callable[[], None], *, unwinds: bool = False):
  """Parses the flags and calls `main`; what a user can cause ends in one line and status 1.

  The docstring of `main`'s module is the first part of `--help`.

  Args:
    main: what the binary does.
    unwinds: whether a signal lets `main` see to temporary folders and processes of its own.
  """
  def guarded(unused_argv):
    if not flags.FLAGS['verbosity'].present:
      logging.set_verbosity(logging.WARNING)
    try:
      cluster.prepare()
      _import_plugins()
      with stopping.unwinding() if unwinds else contextlib.nullcontext():
        main()
    except errors.UserError as error:
      fail(error)
    except KeyboardInterrupt:
      fail('stopped')
    except (AssertionError, MemoryError, OSError, RuntimeError, ValueError) as error:
      fail(in_words(error))

  garbage.look_seldom()
  compiled.keep()
  about = sys.modules[main.__module__].__doc__ or ''
  with output.settled():
    app.run(guarded, flags_parser=functools.partial(parse, about=about))


def program(main: Callable[[], None], **options) -> Callable[[], None]:
  """What an installed script calls: `run` with these arguments."""
  return functools.partial(run, main, **options)


def _import_plugins():
  if _PLUGINS.value and os.getcwd() not in sys.path:
    sys.path.append(os.getcwd())  # An installed program's own folder is another.
  for name in _PLUGINS.value:
    try:
      importlib.import_module(name)
    except ModuleNotFoundError as error:
      raise errors.UserError(f'plugin {name!r} cannot be imported ({error}); name a module in '
                             'this folder or an installed one') from error
    except (Exception, SystemExit, GeneratorExit) as error:  # pylint: disable=broad-except; it may be anything
      raise errors.UserError(f'plugin {name!r} cannot be imported ({_bug(error)}); mend it or '
                             'leave it out') from error


def _bug(error) -> str:
  return f'{_where(error)}{type(error).__name__}: {error}'


def _where(error) -> str:
  """The line of a user's module that an error comes from; a wrong syntax names it by itself."""
  lines = [f'{frame.f_code.co_filename}:{line}: '
           for frame, line in traceback.walk_tb(error.__traceback__)]
  own = [line for line in lines if not line.startswith((__file__, importlib.__file__, '<frozen'))]
  return own[-1] if own else ''


def fail(error: Exception | str) -> NoReturn:
  """Ends the program as every user error does."""
  message = f'error: {errors.line(error)}'
  if cluster.joined():
    cluster.leave(message)
  stopping.say(message)
  sys.exit(1)


def in_words(error: Exception) -> str:
  """The runtime's error as a line, if a user can do something about it.

  Raises:
    Exception: the error itself, any other; it is a bug.
  """
  if isinstance(error, OSError) and error.filename:
    return (f'cannot use {error.filename}: {error.strerror}; name another file or folder, or see '
            'to what you may do with this one')
  if isinstance(error, MemoryError) or 'RESOURCE_EXHAUSTED' in str(error):
    return f'out of memory ({error}); use smaller sizes or fewer models at a time'
  if cluster.joined() and _STATUS.match(str(error)):
    return (f'another process of this run has ended ({str(error).splitlines()[0]}); start all '
            'of them again by the same command to go on from what was saved')
  if str(error).startswith(_NO_PLATFORM):
    return devices.missing(error)
  try:
    devices.first()
  except errors.UserError as no_device:  # Then that is the reason for any other error.
    return str(no_device)
  raise error


def told(error: Exception) -> str:
  """Any error in words: a user's, the runtime's, or a bug with the line that it comes from."""
  if isinstance(error, errors.UserError):
    return str(error)
  try:
    return in_words(error)
  except Exception as bug:  # pylint: disable=broad-except; it is the same again
    return _bug(bug)


def parse(argv: list[str], about: str = '') -> list[str]:
  """Reads the flags; one that is wrong ends the program, in a line, and so does `--help`."""
  if '--help' in argv[1:]:
    output.show(usage.text(about))
    sys.exit(0)
  try:
    for name in flags.FLAGS:
      _take_once(flags.FLAGS[name])
    rest = flags.FLAGS(argv)
    if len(rest) > 1:
      raise flags.Error(f'unexpected argument {rest[1]!r}; options look like --name=value')
    paths.resolve()
    return rest
  except (flags.Error, errors.UserError) as error:
    fail(error)
  except BrokenPipeError:  # Nobody reads what --helpfull prints.
    sys.exit(0)


def _take_once(flag):
  """Has a flag refuse another value than it was given already, maybe by its other name."""
  def take_once(argument):
    given = flag.serialize() if flag.present or flag.value != flag.default else ''
    type(flag).parse(flag, argument)
    if given not in ('', flag.serialize()):
      raise flags.Error(f'{given} and {flag.serialize()} are both given; give one of them, or '
                        'what both say in one, where it takes several with commas')
  flag.parse = take_once


def define_folder(name: str, text: str) -> flags.FlagHolder:
  """A flag for a folder that must be given; an empty name would be the current folder."""
  holder = flags.DEFINE_string(name, None, text, required=True)
  flags.register_validator(name, lambda path: path != '', message='name a folder')
  return holder


def define_names(name: str, default: list[str] | None, text: str, **options) -> flags.FlagHolder:
  """A flag for names with commas; of none there is nothing to do."""
  holder = flags.DEFINE_list(name, default, text, **options)
  flags.register_validator(name, lambda names: names is None or names != [],
                           message='name at least one')
  return holder


def define_training_flags():
  """How a run goes about it; none of these changes what comes out, so they are no config."""
  cluster.define_flags()
  define_save_seconds()
  flags.DEFINE_boolean('debug_nans', False,
                       'End at the first update that is not finite and name the line behind it.')


def define_save_seconds() -> flags.FlagHolder:
  holder = flags.DEFINE_float('save_seconds', loop.SAVE_SECONDS,
                              'At least this long between two checkpoints.', lower_bound=0.)
  flags.register_validator('save_seconds', lambda seconds: seconds >= 0,  # Which NaN is not.
                           message='give a number of 0 or more')
  return holder


def training_options() -> dict[str, Any]:
  """What these flags say, for `loop.train`."""
  return {'device_count': flags.FLAGS['devices'].value,
          **{name: flags.FLAGS[name].value for name in ('save_seconds', 'debug_nans')}}


def define_config_flags(of_transfer: bool = False):
  """One flag for each field of `Config`, with its default, bounds and help.

  Options of cells that have a name of their own have a flag of their own.

  Args:
    of_transfer: defines those that only a run on an encoder has, otherwise all others.
  """
  for field in dataclasses.fields(Config):
    if (field.name in _OF_TRANSFER) == of_transfer:
      _define(field, typing.get_type_hints(Config)[field.name])
  for name, named in () if of_transfer else options.NAMED.items():
    _DEFINE[named.kind](name, None, named.help)
  if not of_transfer:
    flags.DEFINE_alias('until', 'stop_on')  # As in `--until=certified`.


def config_from_flags() -> Config:
  """The config that the flags give."""
  fields = [field.name for field in dataclasses.fields(Config)]
  names = [name for name in (*fields, *options.NAMED) if name in flags.FLAGS]
  values: dict[str, Any] = {name: flags.FLAGS[name].value for name in names}
  values['task'] = tuple(values['task'])
  values['task_weights'] = tuple(_number(weight) for weight in values['task_weights'])
  values |= {name: options.parse(values[name]) for name in ('cell', 'solver')}
  if values['solvers'] is not None:
    values['solvers'] = options.parse_of_cells(values['solvers'])
  return Config(**values)


_DEFINE: dict[type, Callable] = {
    int: flags.DEFINE_integer, float: flags.DEFINE_float,
    str: flags.DEFINE_string}


def _define(field, hint):
  kind = next(t for t in typing.get_args(hint) or (hint,) if t is not types.NoneType)
  bounds = {'lower_bound': field.metadata['minimum']}
  text = field.metadata['help']
  if kind is options.Options:
    flags.DEFINE_string(field.name, '', text)
  elif isinstance(field.default, tuple):
    flags.DEFINE_list(field.name, list(field.default), text)
  elif field.metadata['choices']:
    flags.DEFINE_enum(field.name, field.default, field.metadata['choices'], text)
  elif kind is bool:
    flags.DEFINE_boolean(field.name, field.default, text)
  elif kind is int:
    flags.DEFINE_integer(field.name, field.default, text, **bounds)
  elif kind is float:
    flags.DEFINE_float(field.name, field.default, text, **bounds)
  else:
    flags.DEFINE_string(field.name, field.default, text)


def _number(text):
  try:
    return float(text)
  except ValueError as error:
    raise errors.UserError(f'task_weights has {text!r}; give numbers with commas') from error
