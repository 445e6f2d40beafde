"""Models by name: a family of cells, how they share parameters, and how they are trained."""

from collections.abc import Mapping
import dataclasses
import typing
from typing import Any

from maes_jax import config as config_lib
from maes_jax import errors
from maes_jax import options
from maes_jax import phases
from maes_jax import recipes
from maes_jax.cells import base
from maes_jax.cells import dnc
from maes_jax.cells import dwm
from maes_jax.cells import gated_deltanet
from maes_jax.cells import gru
from maes_jax.cells import lru
from maes_jax.cells import lstm
from maes_jax.cells import maes
from maes_jax.cells import maes2018
from maes_jax.cells import mamba2
from maes_jax.cells import mlstm
from maes_jax.cells import ntm
from maes_jax.cells import tapes
from maes_jax.cells import transformer
from maes_jax.config import Config
from maes_jax.options import Options


@dataclasses.dataclass(frozen=True)
class Family:
  """How to build and train a model.

  Attributes:
    cell: the class of its cells; its fields are the options of the model.
    tied: encoder and solver are one cell with one set of parameters.
    recipe: what fills in that which a config leaves open.
    solvers: by task, or by 'task/cell' of a task's further cells, what they have beyond the cell's
      defaults, where a config or a recipe says nothing else of that cell.
    optimizer: what trains it where a run is given none, one of `training.optimizer.NAMES`.
  """
  cell: type[base.Cell]
  tied: bool = False
  recipe: recipes.Recipe = recipes.neutral
  solvers: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
  optimizer: str = 'adam'


# XOR of two words needs a hidden layer (section 4.1), numbers of two pictures a wider one; Odd
# Recall must jump by two (section 5.2). To read once more from the first item on, a head must go
# back to address 0. Who stores anew each time has no use for what was there before, nor need one
# see it who only finds the way.
_MAES_SOLVERS: Mapping[str, Mapping[str, Any]] = {
    'odd_recall': {'shift_range': 2},
    'skip_recall': {'shift_range': 2},
    'sequence_comparison': {'output_hidden': 10},
    'sequence_equality': {'output_hidden': 10},
    'hard_equality': {'output_hidden': 10},
    'prefix_equality': {'output_hidden': 10},
    'sequence_symmetry': {'output_hidden': 10},
    'n_back': {'output_hidden': 10},
    'delayed_match': {'output_hidden': 10},
    'picture_change': {'output_hidden': 32},
    'picture_match': {'output_hidden': 32},
    'repeat_copy': {'head': 'jump'},
    'temporal_rotation': {'head': 'sharp_jump'},
    'temporal_rotation/end': {'head': 'sharp'},
    'temporal_rotation/halfway': {'head': 'sharp'},
    'interruption_swap/y_encoder': {'head': 'sharp', 'blind': True, 'overwrite': True},
    'interruption_swap/y_end': {'head': 'sharp', 'blind': True},
    'interruption_swap/y_halfway': {'head': 'sharp', 'blind': True},
    'interruption_swap/y_solver': {'head': 'sharp_jump'},
    'duplicate_string': {'head': 'jump'},
    'odds_first': {'head': 'jump', 'shift_range': 2},
}

# The first author's solver of Sequence Comparison has more of both; he trained no other like it.
_MAES2018_SOLVERS: Mapping[str, Mapping[str, Any]] = {
    'odd_recall': {'shift_range': 2},
    'sequence_comparison': {'units': 10, 'output_hidden': 28},
}

FAMILIES: dict[str, Family] = {
    'maes': Family(maes.Maes, recipe=recipes.maes, solvers=_MAES_SOLVERS),
    'ntm': Family(ntm.Ntm, tied=True, recipe=recipes.ntm),
    'dnc': Family(dnc.Dnc, tied=True, recipe=recipes.baseline),
    'lstm': Family(lstm.Lstm, tied=True, recipe=recipes.lstm),
    'maes2018': Family(maes2018.Maes2018, recipe=recipes.maes2018, solvers=_MAES2018_SOLVERS,
                       optimizer='rmsprop'),
    'dwm': Family(dwm.Dwm, tied=True, recipe=recipes.dwm),
    'stack_rnn': Family(tapes.StackRnn, tied=True),
    'tape_rnn': Family(tapes.TapeRnn, tied=True),
    'gru': Family(gru.Gru, tied=True, recipe=recipes.gru),
    'lru': Family(lru.Lru, tied=True),
    'mlstm': Family(mlstm.Mlstm, tied=True),
    'gated_deltanet': Family(gated_deltanet.GatedDeltaNet, tied=True),
    'mamba2': Family(mamba2.Mamba2, tied=True),
    'transformer': Family(transformer.Transformer, tied=True),
}


def register(name: str, family: Family):
  """Makes a model known by its name, to the library and, through `--plugins`, to every binary.

  Raises:
    UserError: it is no family, or the name is taken or no text.
  """
  errors.of_type('the family is', family, Family, 'a maes_jax.families.Family')
  errors.add('model', name, family, FAMILIES)


def get(name: str) -> Family:
  """The family of that name; an unknown one is an error that lists them all."""
  return errors.pick('model', name, FAMILIES)


def resolve(config: Config) -> Config:
  """The same config with nothing about training left open: the family's recipe fills it in.

  What a config says of all cells goes before what the recipe has for some of them.

  >>> resolve(Config(cell={'gamma_bias': 0.})).cell
  {'write_bias': -3.0, 'gamma_bias': 0.0}
  """
  values = {**recipes.COMMON, **get(config.model).recipe(config)}
  unsaid = lambda options: {name: options[name] for name in options if name not in config.cell}
  of_cells = {name: unsaid(options) for name, options in values.get('solvers', {}).items()}
  values['solvers'] = _merged(_of_tasks(config), of_cells)
  filled = {name: value for name, value in values.items()
            if name not in ('cell', 'solver') and getattr(config, name) is None}
  return dataclasses.replace(
      config, **filled, cell=Options({**values.get('cell', {}), **config.cell}),
      solver=Options({**unsaid(values.get('solver', {})), **config.solver}))


def solvers(config: Config) -> Mapping[str, Mapping[str, Any]]:
  """By name, the options of each solver and further cell that has some of its own."""
  return _of_tasks(config) if config.solvers is None else config.solvers


def _of_tasks(config):
  """What the family has for the cells of these tasks; every solver of its own is named."""
  family = get(config.model)
  named = {} if family.tied else {task: {} for task in config.task}
  return named | {name: given for name, given in family.solvers.items()
                  if phases.owner(name) in config.task}


def _merged(by_cell, more):
  return {name: {**by_cell.get(name, {}), **more.get(name, {})} for name in {**by_cell, **more}}


def check_options(config: Config):
  """Whether the model has the options that a config gives, and they may be what they are.

  Raises:
    UserError: names the option, and what it may be.
  """
  family = get(config.model)
  of_solvers = [f'solver option {name!r}' for name in sorted(config.solver)]
  if config.solvers not in (None, _of_tasks(config)):
    of_solvers += [f'options of {name!r}' for name in sorted(config.solvers)]
  if family.tied and of_solvers:
    raise errors.UserError(f'model {config.model!r} shares one cell between encoder and solver; '
                           f'leave {", ".join(of_solvers)} out')
  for given in (config.cell, config.solver, *(config.solvers or {}).values()):
    _check_given(given, config.model, family.cell)


def _check_given(given, model, cell):
  known, hints = options.of(cell), typing.get_type_hints(cell)
  for name, value in given.items():
    if name not in known:
      raise errors.UserError(
          f'model {model!r} has no option {name!r} (given: {value!r})'
          f'{errors.hint(name, known)}; its options are {", ".join(sorted(known))}')
    config_lib.checked_option(name, value, known[name], hints.get(name, known[name].type))
