"""How each task is trained and tested in the matrix of models and tasks: the one table of it.

Nothing here depends on the model. Lengths are counted as the task counts them (docs/tasks.md).
"""

from collections.abc import Callable, Mapping
import dataclasses

from ..paper import runs
from maes_jax import tasks
from maes_jax.tasks import dual
from maes_jax.tasks import manipulation
from maes_jax.tasks import ngrams
from maes_jax.tasks import pictures
from maes_jax.tasks import recall
from maes_jax.tasks import relation
from maes_jax.tasks import sorting
from maes_jax.tasks import streams
from maes_jax.tasks import strings

SPARE = 24  # Addresses beyond those that the items of a test need.
_LEAST_MEMORY = 30  # N in training, as in the paper.


def memory_for(task: tasks.Task, length: int, spare: int = SPARE) -> int:
  """Addresses for sequences of a length."""
  return max(task.needs(length), length) + spare


@dataclasses.dataclass(frozen=True)
class Test:
  """A published or stated test.

  Attributes:
    name: of its column.
    length: of its sequences.
    made: from the name of a task to the task as it is tested, where that is cut otherwise.
  """
  name: str
  length: int
  made: Callable[[str], tasks.Task] = tasks.get


@dataclasses.dataclass(frozen=True)
class Protocol:
  """How a task is trained and tested.

  Attributes:
    max_length: the longest sequence in training; the shortest is `min_length`, or the task's own.
      Validated at twice that.
    tests: a seed succeeds that is right in all of them; the first is the published one, if any is.
    row: lengths at which the share that is right is noted.
    scored: lengths over which the mean of these shares is the published score; none: no such score.
    about: the same in words, as it stands in documents.
    min_length: see `max_length`.
    reached: share of units that are right at a length that a seed has reached.
  """
  max_length: int
  tests: tuple[Test, ...]
  row: tuple[int, ...]
  about: str
  scored: tuple[int, ...] = ()
  min_length: int = 1
  reached: float = 0.99

  @property
  def validation_length(self) -> int:
    return 2 * self.max_length

  def config(self, task: tasks.Task) -> dict[str, int]:
    """Lengths and memory sizes, by the fields of `Config`."""
    shortest = max(self.min_length, task.shortest)
    values = {
        'min_length': shortest, 'max_length': self.max_length,
        'memory': max(_LEAST_MEMORY, memory_for(task, self.max_length, 8)),
        'validation_length': self.validation_length,
        'validation_memory': memory_for(task, self.validation_length)}
    if shortest > _FIRST:  # Recipes begin with at most so many items.
      values |= {'start_min_length': shortest, 'start_length': shortest}
    return values

  def lengths(self, task: tasks.Task) -> tuple[int, ...]:
    """The lengths of the row that the task allows; of one from data those of its examples."""
    return tuple(length for length in self.row if length >= task.shortest and (
        not isinstance(task, tasks.DataTask) or task.tested(length, length)))


_FIRST = 3
_CURVE = (5, 10, 20, 40, 100, 200, 500)
_20_OF_50 = dual.Cuts(most=20, items=50)


def _cut(name):
  """A dual task as it is tested: in 20 sub-sequences of 50 words."""
  return getattr(dual, name)(cuts=_20_OF_50)


SIMPLE = Protocol(
    10, (Test('1,000', 1000),), _CURVE,
    'trained on 1 to 10 items, validated at 20, tested on 1,000')
DUAL = Protocol(
    18, (Test('20 × 50', 1000, _cut), Test('1,000', 1000)), (6, 18, 40, 100, 200, 500),
    'trained on 1 to 18 words of x in 1 to 3 sub-sequences, validated at 36, tested on 20 '
    'sub-sequences of 50 words, and on 1,000 words in 1 to 3')
STRINGS = Protocol(
    40, (Test('1,000', 1000),), (10, 20, 40, 60, 100, 200, 300, 500),
    'trained on lengths 1 to 40, validated at 80, scored as the mean accuracy over lengths 41, 68, '
    '95, … 500 (each 27th of 41 to 500), tested at 1,000', scored=tuple(range(41, 501, 27)))
PICTURES = Protocol(  # Of pictures never seen before none is told for certain.
    10, (Test('1,000', 1000),), _CURVE,
    'trained on 1 to 10 pictures, validated at 20, tested on 1,000, both on digits held out; a '
    'length is reached where 90% of answers are right', reached=0.9)

# Graves et al. (arXiv 1410.5401), sections 4.2 to 4.5: as they trained; tested beyond.
_REPEAT_COPY = Protocol(
    10, (Test('20', 20), Test('100', 100)), (5, 10, 20, 40, 100),
    'trained on 1 to 10 words, 1 to 10 times; validated and tested at 20, tested at 100')
_ASSOCIATIVE = Protocol(
    6, (Test('20', 20), Test('100', 100)), (4, 6, 10, 20, 40, 100),
    'trained on 2 to 6 items, validated at 12, tested at 20 and 100')
_SORT = Protocol(
    20, (Test('20', 20), Test('100', 100)), (5, 10, 20, 40, 100),
    'trained on 1 to 20 items, of which four fifths are answers, validated at 40, tested at 20 (16 '
    'answers) and 100')
_NGRAMS = Protocol(
    200, (Test('200', 200), Test('1,000', 1000)), (20, 50, 100, 200, 500),
    'trained on 6 to 200 bits, validated at 400, tested at 200 and 1,000; a bit is right where its '
    'probability is within 0.05 of the optimal estimate')

# Of single tasks; who registers one of his own may put its protocol here, too.
OWN: dict[str, Protocol] = {
    'repeat_copy': _REPEAT_COPY, 'associative_recall': _ASSOCIATIVE, 'priority_sort': _SORT,
    'dynamic_ngrams': _NGRAMS}

# Parts of the matrix by name, in the order of its rows; what belongs to none is a user's own.
_PARTS = {'one': (recall, relation, manipulation), 'dual': (dual,),
          'streams': (streams, sorting, ngrams), 'strings': (strings,), 'pictures': (pictures,)}
GROUPS: Mapping[str, tuple[str, ...]] = {'paper': runs.PAPER_TASKS, **{
    name: tuple(task.name for module in modules for task in module.TASKS
                if task.name not in runs.PAPER_TASKS)
    for name, modules in _PARTS.items()}}
TITLES = {'paper': "The paper's tasks", 'one': 'Other tasks of one sequence',
          'dual': 'Two sequences, and sub-sequences',
          'streams': 'Streams, and tasks of the Neural Turing Machine', 'strings': 'Strings',
          'pictures': 'Pictures', 'others': "Users' own"}
_OF_GROUPS = {'dual': DUAL, 'strings': STRINGS, 'pictures': PICTURES}


def group(task: str) -> str:
  """The part of the matrix that a task belongs to."""
  return next((name for name, members in GROUPS.items() if task in members), 'others')


def of(task: str) -> Protocol:
  """How a task is trained and tested; a user's own as a task of one sequence."""
  return OWN.get(task) or _OF_GROUPS.get(group(task), SIMPLE)
