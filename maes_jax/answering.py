"""What a trained model answers about sequences of one's own: NumPy in, NumPy out."""

from collections.abc import Mapping, Sequence
import functools
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from maes_jax import compilation
from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import limits
from maes_jax import models
from maes_jax import phases
from maes_jax import tasks
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params
from maes_jax.tasks import values

TOGETHER = 32  # Sequences of one call of a program, whatever their number: others are empty.
_MARKERS = 2  # Steps of a program beside its items and what is shown.
SHORTEST = 16  # Steps of the shortest program, the marker included.


class Asked(NamedTuple):
  """One sequence, or with leading axes several, and what the solver is shown."""
  items: np.ndarray  # [L, D], or [L] numbers of tokens
  length: np.ndarray  # []
  aux: np.ndarray  # [M, D], or [M] numbers of tokens
  slots: np.ndarray  # []


def choose(model: Model, task: tasks.Task | str = '') -> tasks.Task:
  """A task itself, the one of that name or, of a model for one task, that one.

  Raises:
    UserError: the model has no solver for it, or several and no task was given, or it reads
      other items or answers in other numbers.
  """
  known = ', '.join(model.tasks)
  if task == '' and len(model.tasks) != 1:
    raise errors.UserError(f'this model has solvers for several tasks; say which: {known}; '
                           'give one as task')
  task = known if task == '' else task
  model.cell(task if isinstance(task, str) else tasks.checked(task).name)
  task = tasks.get(task) if isinstance(task, str) else task
  models.check_reads(model, task)
  if (outputs := model.cell(task.name).outputs) != task.outputs:
    raise errors.UserError(f'task {task.name!r} has answers of {task.outputs} numbers, and this '
                           f'model gives {outputs}; give a task whose answers are the same')
  return task


def answers(
    model: Model,
    params: Params,
    task: tasks.Task,
    sequences: Sequence,
    aux: Sequence | None,
    memory: int,
    addresses: int | None = None,
    hard: bool = False,
) -> list[np.ndarray]:
  """See `Trained.answer`; `memory` is the size in training."""
  asked = [_read(task, sequences, aux, i) for i in range(len(sequences))]
  found: list[Any] = [None] * len(asked)
  for (size, shown), members in _by_size(asked).items():
    n, longest = addresses, max(len(asked[i].items) for i in members)
    if n is None:
      needed = 1 + max(size, task.needs(size))
      n = max(memory, needed, model.addresses_for(size + shown + _MARKERS))
    limits.check(length=longest, addresses=n)
    models.check_holds(model, n, task, task.needs(longest))
    _check_room(model, max(len(asked[i].items) + len(asked[i].aux) for i in members), n)
    for start in range(0, len(members), TOGETHER):
      some = members[start:start + TOGETHER]
      batch = _padded([asked[i] for i in some], size, shown)
      told, masks, finite = jax.device_get(_compiled(model, task, n, hard)(params, batch))
      for i, answer, mask, known in zip(some, told, masks, finite, strict=False):
        _check_choice(i, known[mask].all() or not hard)
        found[i] = answer[mask]
  return found


def _check_room(model, steps, addresses):
  needed = model.addresses_for(steps + _MARKERS)
  if needed > addresses:
    raise errors.UserError(
        f'sequences and what is shown have up to {steps:,} items in all, of which '
        f'{type(model.encoder).__name__} forgets the first with {addresses:,} addresses; use '
        f'addresses={needed} or more')


def _check_choice(i, known):
  if not known:
    raise errors.UserError(f'an answer about sequence {i} is no finite number, so that nothing can '
                           'be chosen; leave hard out to see it, or use a model that did not '
                           'diverge')


def _read(task, sequences, aux, i):
  """One sequence as arrays of its own sizes."""
  items = _items(task, sequences[i], f'sequence {i}')
  if len(items) < task.at_least:
    raise errors.UserError(f'sequence {i} has {len(items):,} items and task {task.name!r} asks '
                           f'about {task.at_least:,} or more; give a longer one')
  if task.shows and aux is None:
    raise errors.UserError(f'task {task.name!r} asks about an auxiliary sequence; give aux')
  if not task.shows and aux is not None:
    raise errors.UserError(f'task {task.name!r} asks about no auxiliary sequence; leave aux out')
  slots = task.steps(len(items))
  if aux is None:
    shown = np.zeros((slots, task.items.width), np.float32)
  else:
    shown = _items(task, aux[i], f'aux {i}')
    if slots is not None and len(shown) != slots:
      raise errors.UserError(f'aux {i} has {len(shown):,} items; task {task.name!r} wants '
                             f'{slots:,}, as many as the sequence has')
  return Asked(items, np.int32(len(items)), shown, np.int32(len(shown)))


def _items(task, given, said):
  return values.of_kind(task.items, values.array(given, said), said)


def _by_size(asked: Sequence[Asked]) -> Mapping[tuple[int, int], list[int]]:
  """Which sequences go through one program, by what they and what is shown are padded to."""
  found: dict[tuple[int, int], list[int]] = {}
  for i, one in enumerate(asked):
    found.setdefault((_size(len(one.items)), _size(len(one.aux))), []).append(i)
  return found


def _size(length: int) -> int:
  """What so many items are padded to: with the marker, to a power of two.

  >>> [_size(length) for length in (1, 15, 16, 1000)]
  [15, 15, 31, 1023]
  """
  return max(SHORTEST, 1 << length.bit_length()) - 1


def _padded(some: Sequence[Asked], size: int, shown: int) -> Asked:
  """Leaves [TOGETHER, ...]; those beyond the sequences are empty."""
  empty = lambda size, like: np.zeros((TOGETHER, size, *like.shape[1:]), like.dtype)
  none = np.zeros((2, TOGETHER), np.int32)
  batch = Asked(empty(size, some[0].items), none[0], empty(shown, some[0].aux), none[1])
  for i, one in enumerate(some):
    batch.items[i, :len(one.items)], batch.length[i] = one.items, one.length
    batch.aux[i, :len(one.aux)], batch.slots[i] = one.aux, one.slots
  return batch


@functools.lru_cache(maxsize=64)
def _compiled(model, task, addresses, hard):
  """(params, a batch) -> answers [TOGETHER, A, ...], and [TOGETHER, A] which count, are finite."""

  def answer(params, asked, unroll):
    items = values.read(task.items, asked.items)
    items = jnp.where(tasks.within(asked.length, len(items))[:, None], items, 0)
    aux = values.read(task.items, asked.aux)
    episode = phases.Episode(task.about(items, asked.length, aux, asked.slots), asked.length)
    outputs = model.answer(params, {task.name: episode}, addresses, unroll)[task.name]
    answers = (task.answers.chosen if hard else task.answers.decoded)(outputs)
    return answers, episode.mask, jnp.isfinite(outputs).all(-1)

  def batch(params, asked):
    if jax.default_backend() == 'cpu':  # One by one: each ends with its own last step.
      return lax.map(lambda one: answer(params, one, encoder_solver.alone), asked)
    return jax.vmap(lambda one: answer(params, one, encoder_solver.skipping))(asked)

  return compilation.jit(batch)
