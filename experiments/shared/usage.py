"""`--help` on one screen: what a binary does, an example, its flags, the config's in groups."""

import dataclasses
import re
import sys
import textwrap

from absl import flags

from maes_jax import options
from maes_jax.config import Config

# The first field of each group, in the order of `Config`.
_GROUPS = {'model': 'What', 'seeds': 'Population', 'cell': 'Options', 'memory': 'Data',
           'recipe': 'Training', 'validate_every': 'Validation', 'encoder': 'Transfer'}
_WIDTH = 98
# These are programs of their own, `maes-train`, once the library is installed.
INSTALLED = ('train', 'transfer', 'evaluate', 'certify', 'inspect', 'show_task', 'reproduce',
             'benchmark', 'suite')
_SHARED = f'{__package__}.cli'  # Who defines the flags of `Config`.
_BINARIES = __package__.rpartition('.')[0]  # In a checkout `experiments`, not once installed.
_COMMAND = re.compile(r'python -m experiments\.(\w+)')
_OPEN = '  Where no value is shown, the recipe, the model or the task gives it.'
_NOTES = ('--helpfull explains every flag. Exit status: 0 done, 1 an error, '
          'told in one line on stderr.')


def text(about: str) -> str:
  """The help of the program that is running, which is `about` this."""
  defined = flags.FLAGS.flags_by_module_dict()
  fields = {field.name for field in dataclasses.fields(Config)} | options.NAMED.keys()
  if 'recipe' not in flags.FLAGS:  # Then --task is the program's own.
    fields = set()
  config = {flag.name for flag in defined.get(_SHARED, []) if flag.name in fields}
  own = [_describe(flag) for module, found in defined.items() for flag in found
         if flag.name not in config and _ours(module)]
  groups = ['', *_groups(config), _OPEN] if config else []
  return '\n'.join([_COMMAND.sub(_program, about.strip()), '', *own, *groups, '', _NOTES])


def _ours(module) -> bool:
  """Whether a module that defines flags is this program or one of its package."""
  return module == sys.argv[0] or module.startswith(f'{_BINARIES}.')


def _program(command) -> str:
  """How a program is called here: in a checkout, or as it was installed."""
  name = command[1]
  if _BINARIES == 'experiments':
    return command[0]
  return script(name) if name in INSTALLED else f'python -m {_BINARIES}.{name}'


def script(name: str) -> str:
  """What a binary is called once it is installed."""
  return f'maes-{name}'.replace('_', '-')


def _describe(flag) -> str:
  """A flag, its default and what it means."""
  return textwrap.fill(f'{_setting(flag):23} {flag.help}', _WIDTH, initial_indent='  ',
                       subsequent_indent=' ' * 26, break_on_hyphens=False)


def _groups(names) -> list[str]:
  """The flags of the config and their defaults, a paragraph a group."""
  groups: dict[str, list[str]] = {}
  title = ''
  for field in dataclasses.fields(Config):
    title = _GROUPS.get(field.name, title)
    short_forms = options.NAMED if field.name == 'solver' else ()
    for name in (field.name, *short_forms):
      if name in names:
        groups.setdefault(title, []).append(_setting(flags.FLAGS[name]))
  return [textwrap.fill(' '.join(settings), _WIDTH, initial_indent=f'  {title:12}',
                        subsequent_indent=' ' * 14, break_on_hyphens=False)
          for title, settings in groups.items()]


def _setting(flag) -> str:
  default = ','.join(flag.default) if isinstance(flag.default, list) else flag.default
  return f'--{flag.name}' if default in (None, '') else f'--{flag.name}={default}'
