"""Every training run that the paper's tables and figures rest on, by name."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from maes_jax import errors
from maes_jax import families
from maes_jax.config import Config

FORWARD = ('serial_recall', 'reverse_recall', 'odd_recall')
RELATIONS = ('sequence_equality', 'sequence_comparison', 'hard_equality')
TASKS = FORWARD + RELATIONS
PAPER_TASKS = TASKS[:-1]
PROVABLE = (*FORWARD, 'sequence_comparison')  # No model is proved right on Equality.
ENCODERS = {'E_S': ('serial_recall',), 'E_R': ('reverse_recall',),
            'E_J': ('serial_recall', 'reverse_recall')}

BASELINES = ('lstm', 'ntm', 'dnc')


@dataclasses.dataclass(frozen=True)
class Budget:
  """How long a population may train, and how much each of its models is tested.

  Attributes:
    max_iterations: a seed not done by then counts as failed.
    batch_size: test sequences at a time.
    best: test batches of the best model.
    others: test batches of every other model that converged.
    failed: test batches of every model that did not.
    choice: test batches by which the best of a population of baselines is chosen.
  """
  max_iterations: int
  batch_size: int = 32
  best: int = 100
  others: int = 100
  failed: int = 1
  choice: int = 2


# Every success of MAES in the paper came within 20,000 iterations. The baselines get the paper's
# 100,000. A step of the DNC costs the square of its memory, so that few sequences of length 1000
# are tested.
BUDGETS = {
    'maes': Budget(20_000, failed=10),
    'ntm': Budget(100_000, batch_size=16, best=20, others=1, choice=4),
    'dnc': Budget(100_000, batch_size=4, best=8, others=1),
    'lstm': Budget(100_000, best=4, others=1),
}


@dataclasses.dataclass(frozen=True)
class Run:
  """One cell of the matrix: a population of models trained in one way.

  Attributes:
    name: also the path of its record below `results/`, without the ending.
    options: what differs from the default config.
    encoder: name of the run whose best encoder is taken over and frozen; '' for none.
    also: tasks that its one solver is tested on, too.
    population: how many models there are of a run of new seeds; 0: as many as are asked for.
  """
  name: str
  options: Mapping[str, Any]
  encoder: str = ''
  also: tuple[str, ...] = ()
  population: int = 0

  @property
  def is_encoder(self) -> bool:
    """Whether other runs take its encoder over."""
    return 'model' not in self.options and not self.encoder and not self.population

  @property
  def is_proved(self) -> bool:
    """Whether its seeds are proved right, or not, and need no test."""
    return bool(self.population) and set(self.options['task']) <= set(PROVABLE)

  @property
  def is_baseline(self) -> bool:
    """Whether it is of another model than the paper's own."""
    return 'model' in self.options

  @property
  def budget(self) -> Budget:
    return BUDGETS[self.options.get('model', 'maes')]

  def config(self, seeds: int, max_iterations: int | None = None,
             encoder_workdir: str | None = None) -> Config:
    """The resolved config with a population of `seeds` models."""
    options = {'max_iterations': self.budget.max_iterations, **self.options}
    if max_iterations:
      options['max_iterations'] = max_iterations
    return families.resolve(Config(
        seeds=self.population or seeds, encoder=encoder_workdir, **options))


def _encoder(recipe, name):
  options = {'task': ENCODERS[name], 'recipe': recipe}
  return Run(_prefix(recipe) + name, options)


def _transfer(recipe, encoder, task, name=None, **options):
  """A solver on a frozen encoder."""
  options = {'task': (task,), 'recipe': recipe, **options}
  return Run(f'{_prefix(recipe)}{encoder}-{name or task}', options, _prefix(recipe) + encoder)


# The NTM gets what the paper's best took (table 2), where that is not all there is.
_NTM_ITERATIONS = {'serial_recall': 29_000, 'reverse_recall': 37_000, 'odd_recall': 57_000}
FIRST_SEED = 100  # Of the baselines; their recipes were chosen on others, 0 to 9.


def _baseline(model, task):
  """A model with no encoder to take over, on one task (section 5.4)."""
  options = {'model': model, 'task': (task,), 'seed': FIRST_SEED}
  if model == 'ntm' and task in _NTM_ITERATIONS:
    options['max_iterations'] = _NTM_ITERATIONS[task]
  return Run(f'{model}-{task}', options)


def _new_seeds(encoder, seeds):
  """New seeds of an encoder."""
  return Run(f'proofs/{encoder}', {'task': ENCODERS[encoder], 'seed': 1000}, population=seeds)


def _new_solvers(task, model):
  """Solvers on one encoder of such a population."""
  options = {'task': (task,), 'encoder_model': model, 'seed': _NEW_SOLVERS[task] + 10 * model}
  return Run(f'proofs/E_J-{task}/{model}', options, 'proofs/E_J', population=5)


def _prefix(recipe):
  return '' if recipe == 'short_first' else f'{recipe}/'


# Section 5.2: with shifts by one the solver of Odd Recall must fail.
_CONTROL = _transfer(
    'short_first', 'E_J', 'odd_recall', 'odd_recall_shift_1', solver_shift_range=1)

# Beyond the paper: an encoder that has learnt to write over old words, for tasks that make it.
_OVERWRITING = Run(
    'E_J+', {'task': (*ENCODERS['E_J'], 'scratch_pad'), 'recipe': 'short_first'})

# One differing bit among a thousand items: trained with an answer after every item.
_PREFIXES = dataclasses.replace(
    _transfer('short_first', 'E_J', 'prefix_equality', max_length=10, max_iterations=16_000),
    also=('hard_equality',))

# By task the first seed: on those before it, from 2000 on, its recipe was chosen.
_NEW_SOLVERS = {'serial_recall': 2000, 'reverse_recall': 2000, 'odd_recall': 4000,
                'sequence_comparison': 4000, 'sequence_equality': 6000}
# Drawn at random from those of 100 that converged.
_DRAWN = (1, 3, 6, 15, 22, 25, 42, 47, 52, 53, 55, 57, 59, 61, 69, 70, 73, 84, 92, 93)

_ALL = [
    *(_encoder('short_first', name) for name in ENCODERS),
    *(_transfer('short_first', name, task) for name in ENCODERS for task in TASKS),
    _CONTROL,
    _PREFIXES,
    _OVERWRITING,
    *(_encoder('plain', name) for name in ENCODERS),
    *(_transfer('plain', 'E_J', task) for task in PAPER_TASKS),
    *(_baseline(model, task) for model in BASELINES for task in PAPER_TASKS),
    _new_seeds('E_J', 100), _new_seeds('E_R', 100),
    *(_new_solvers(task, model) for task in _NEW_SOLVERS for model in _DRAWN),
]

RUNS: dict[str, Run] = {run.name: run for run in _ALL}

# What `--only` understands besides the name of a run.
GROUPS: dict[str, tuple[str, ...]] = {
    'table1': ('E_S', *(f'E_S-{task}' for task in TASKS)),
    'section4_3': ('E_R', *(f'E_R-{task}' for task in TASKS)),
    'table2_maes': ('E_J', *(f'E_J-{task}' for task in TASKS), _CONTROL.name, _PREFIXES.name),
    'beyond': (_OVERWRITING.name,),
    'plain': tuple(name for name in RUNS if name.startswith('plain/')),
    **{model: tuple(f'{model}-{task}' for task in PAPER_TASKS) for model in BASELINES},
    'figure4': ('E_S',),
    'figure6': ('E_S',),
    'figure7': ('E_S', 'E_J'),
    'figure10': ('E_J',),
    'figure11': ('E_J', 'E_J-sequence_comparison'),
    'figure12': ('E_J', 'E_J-sequence_equality'),
}
PROOFS = {'proofs': tuple(run.name for run in _ALL if run.population),
          **{f'proofs/{name}': tuple(run for run in RUNS if run.startswith(f'proofs/{name}/'))
             for name in (f'E_J-{task}' for task in _NEW_SOLVERS)}}
GROUPS['table2'] = sum((GROUPS[part] for part in ('table2_maes', *BASELINES)), ())


def select(names: list[str]) -> list[Run]:
  """The runs that groups and names ask for, each once, encoders before what needs them."""
  known = {**{name: (name,) for name in RUNS}, **GROUPS, **PROOFS}
  wanted = {run for name in names for run in errors.pick('part of the paper', name, known)}
  wanted |= {RUNS[name].encoder for name in wanted} - {''}
  return [run for name, run in RUNS.items() if name in wanted]
