"""Options of cells by name: which there are is the cell's own affair.

Every field of a cell's class is an option, for encoder and solvers alike (`Config.cell`, the flag
`--cell=units=7,width=12`) or for solvers alone (`Config.solver`, `--solver=shift_range=2`). What a
task needs of one of its cells (`Config.solvers`) goes before the first and behind the second; what
a recipe has for solvers, or for one of them, gives way to what a config says of all cells.
"""

import ast
from collections.abc import Mapping
import dataclasses
from typing import Any, NamedTuple

import numpy as np

from maes_jax import errors


MANY = 100  # The most of what a program spells out one by one: more would take hours to compile.


class Options(dict):
  """Names and values. Equal ones have one hash: a config is a value."""

  def __hash__(self) -> int:  # type: ignore[override]
    return hash(frozenset(self.items()))


class OfCells(Options):
  """Options by the name of the cell that they are of."""


def option(default: Any, *, minimum: float | None = None, maximum: float | None = None,
           choices: tuple[str, ...] | None = None, initial: bool = False) -> Any:
  """A field of a cell's class that says what it may be.

  Args:
    default: what it is where nothing is said.
    minimum: the smallest number that it may be.
    maximum: the largest.
    choices: what it must be one of.
    initial: it only says where parameters start from; what is trained already does not depend on
      it.
  """
  return dataclasses.field(default=default, metadata={
      'minimum': minimum, 'maximum': maximum, 'choices': choices, 'initial': initial})


class Named(NamedTuple):
  """An option with a name of its own among the flags and the arguments of `Config`."""
  help: str
  kind: type
  whose: str = 'cell'  # Field of `Config`.
  name: str = ''  # As the cell calls it; by default the same.


NAMED = {
    'width': Named('Word width W.', int),
    'units': Named('Controller units H.', int),
    'layers': Named('Controller layers (lstm), blocks (those without a controller).', int),
    'read_heads': Named('Read heads (ntm, dnc).', int),
    'write_heads': Named('Write heads (ntm).', int),
    'shift_range': Named('Addresses that attention may move in a step.', int),
    'solver_shift_range': Named('The same, of the solvers alone.', int, 'solver', 'shift_range'),
    'output_hidden': Named("Units of the solvers' ReLU layer before the output; 0 for none.", int,
                           'solver'),
    'line3': Named('Reading of Algorithm 1, line 3.', str),
    'add_activation': Named('Activation of the add vector.', str),
    'write_bias': Named('First bias of erase and add, before the activation; negative: writes '
                        'little.', float),
    'gamma_bias': Named('First bias of gamma, before softplus; negative: sharpens little.', float),
    'gate_bias': Named("First bias of the heads' gates, before the sigmoid (ntm); negative: they "
                       'move by shifts at first.', float),
    'walk_bias': Named('First bias of the kernels of heads (ntm: write heads) for one address on, '
                       'before the softmax; negative: for one back.', float),
    'latch': Named("First weight of each of the solvers' hidden units on itself, so that it can "
                   'hold a bit.', float, 'solver'),
    'initial_memory': Named('What every cell of the memory holds at first (ntm, dwm).', float),
    'initial_attention': Named('Where every head looks at first (ntm).', str),
}


def gathered(values: Mapping[str, Any]) -> dict[str, Any]:
  """Arguments of `Config` with those of `NAMED` put where they belong; None stands for nothing.

  >>> gathered({'seed': 1, 'units': 7, 'solver_shift_range': 2, 'cell': {'width': 3}})
  {'seed': 1, 'cell': {'width': 3, 'units': 7}, 'solver': {'shift_range': 2}}

  Raises:
    UserError: one is given both ways, and not as the same.
  """
  rest = {name: value for name, value in values.items() if name not in NAMED}
  for name, value in values.items():
    if name in NAMED and value is not None:
      named = NAMED[name]
      given = rest.get(named.whose) or {}
      if isinstance(given, Mapping):  # Else it is told later what it must be.
        rest[named.whose] = _with(given, named.whose, named.name or name, name, value)
  return rest


def _with(given, whose, option, name, value):
  """The options of `whose` and one more, which was given by a name of its own."""
  if option in given and not np.all(given[option] == value):
    raise errors.UserError(
        f'{name} is {errors.shortened(value)}, and {whose} has '
        f'{option}={errors.shortened(given[option])}; give one of the two')
  return {**given, option: value}


def parse(text: str) -> Options:
  """Reads `name=value,name=value`.

  >>> parse('units=7,line3=move_first,latch=0.5')
  {'units': 7, 'line3': 'move_first', 'latch': 0.5}

  Raises:
    UserError: a part is no `name=value`, or a name comes twice.
  """
  found = Options()
  for part in filter(None, text.split(',')):
    name, equals, value = part.partition('=')
    name = name.strip()
    if not equals or not name.isidentifier() or name in found:
      raise errors.UserError(f'options {text!r} have the part {part!r}; write them as '
                             'name=value,name=value, each name once')
    found[name] = _literal(value.strip())
  return found


def parse_of_cells(text: str) -> OfCells:
  """Reads `cell:name=value,name=value;cell:name=value`.

  >>> parse_of_cells('odd_recall:shift_range=3;temporal_rotation/end:walk_bias=-4.,head=sharp')
  {'odd_recall': {'shift_range': 3}, 'temporal_rotation/end': {'walk_bias': -4.0, 'head': 'sharp'}}

  Raises:
    UserError: a part is no `cell:name=value`, or a cell comes twice.
  """
  found = OfCells()
  for part in filter(None, text.split(';')):
    cell, colon, given = map(str.strip, part.partition(':'))
    if not colon or not cell or cell in found:
      raise errors.UserError(f'options of cells {text!r} have the part {part!r}; write them as '
                             'cell:name=value,name=value;cell:name=value, each cell once')
    found[cell] = parse(given)
  return found


def _literal(text):
  """A number or a truth value; else the text itself."""
  try:
    value = ast.literal_eval({'true': 'True', 'false': 'False'}.get(text, text))
  except (ValueError, SyntaxError):
    return text
  return value if isinstance(value, bool | int | float) else text


def of(cell: type) -> dict[str, dataclasses.Field]:
  """The options of a cell's class by name."""
  inherent = ('parent', 'name', 'outputs')
  return {field.name: field for field in dataclasses.fields(cell)
          if field.init and field.name not in inherent}
