"""Whether a task asks a proper question; shapes and kinds are known while JAX traces."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import config
from maes_jax import errors
from maes_jax import items
from maes_jax import limits
from maes_jax import phases


def question(task, asked, max_length: int):
  """Checks the arrays of a question about `max_length` items.

  Raises:
    UserError: one has another shape or kind; says which are wanted.
  """
  _check_arrays(f'task {task.name!r}', _question_of(max_length),
                _wanted(task, asked, max_length))
  start(task.name, asked.start)


def hashable(task: str, part: str, value: Any):
  """Compiled programs and proofs are kept by task.

  Raises:
    UserError: what a task consists of has no hash.
  """
  try:
    hash(value)
  except TypeError as error:
    raise errors.UserError(
        f'{part} of task {task!r} cannot be hashed ({error}); make its class a '
        '@dataclass(frozen=True), or give it a __hash__') from error


def drawn(task, items: Any, count: int):
  """Checks what a task's kind of items draws.

  Raises:
    UserError: it has another shape or kind; one item would be every item, were it spread.
  """
  _check_arrays(f'{task.items} of task {task.name!r}', f'draw(key, {count}) must give',
                {'items': (items, (count, task.items.width), np.floating)})


def _question_of(max_length):
  return f'with {max_length:,} items it must return a Question of'


def _wanted(task, asked, max_length):
  """What a question has, by name: the array, its shape and kind."""
  wanted = {'aux': ((max_length, task.items.width), np.floating),
            'targets': ((max_length, task.outputs), np.floating),
            'mask': ((max_length,), np.bool_)}
  return {name: (getattr(asked, name, None), *form) for name, form in wanted.items()}


def program(task, asked, max_length: int):
  """Checks the phases of a program.

  Raises:
    UserError: there are none, none is asked, or one has another form than `phases.Phase` says.
  """
  said = (f'{_question_of(max_length)} {_said(_wanted(task, asked, max_length))}, or phases.Phase '
          'and phases.Repeat in a tuple')
  if not isinstance(asked, tuple | list) or not asked or isinstance(asked, phases.Repeat):
    raise errors.UserError(f'task {task.name!r} returns {errors.shortened(asked)}; {said}')
  for part in asked:
    repeats = _repeats(task, part)
    for phase in phases.of(part):
      if not isinstance(phase, phases.Phase):
        raise errors.UserError(
            f'task {task.name!r} returns (... {errors.shortened(phase)} ...); {said}')
      _check_phase(task, phase, repeats)
  if not any(phase.asked for part in asked for phase in phases.of(part)):
    raise errors.UserError(f'task {task.name!r} has no phase with targets and a mask, so that '
                           'nothing is asked; give them to one')


def _repeats(task, part) -> tuple[int, ...]:
  """The leading axis of a repeat's arrays; that of no repeat is none."""
  if not isinstance(part, phases.Repeat):
    return ()
  inputs: Any = [getattr(phase, 'inputs', None) for phase in part.phases]
  sizes = {np.shape(leaf)[:1] for leaf in inputs}
  if len(sizes) != 1 or sizes == {()}:
    raise errors.UserError(f'task {task.name!r} repeats phases of inputs '
                           f'{[list(np.shape(leaf)) for leaf in inputs]}; all must be [R, T, X] '
                           'with the same R')
  return sizes.pop()


def _check_phase(task, phase, repeats):
  steps = np.shape(phase.inputs)[len(repeats):-1]
  wanted = {'inputs': (phase.inputs, (*repeats, *steps[:1], task.inputs), np.floating),
            'steps': (phase.steps, repeats, np.integer)}
  if phase.asked or phase.targets is not None:
    wanted |= {'targets': (phase.targets, (*repeats, *steps[:1], task.outputs), np.floating),
               'mask': (phase.mask, (*repeats, *steps[:1]), np.bool_)}
  _check_arrays(f'task {task.name!r}', f'a phase of {phase.cell!r} must have', wanted)
  _check_steps(task, phase, steps[0])
  start(task.name, phase.start)
  if phase.cell in ('', phases.OWN) or (phase.asked and phase.again):
    raise errors.UserError(f'task {task.name!r} has a phase with cell={phase.cell!r}, asked='
                           f'{phase.asked}, again={phase.again}; name a cell, e.g. '
                           f'{phases.OWN + "second"!r}, and ask in phases that are not again')


def _check_steps(task, phase, size):
  """Where they are known, there are as many as the phase has items, or fewer."""
  if isinstance(phase.steps, jax.core.Tracer):
    return
  for steps in np.ravel(phase.steps):
    if not 0 <= steps <= size:
      raise errors.UserError(f'task {task.name!r} has a phase of {phase.cell!r} with {size:,} '
                             f'items and steps={steps:,}; use 0 to {size:,}')


def _check_arrays(who, must, wanted):
  for name, (part, shape, kind) in wanted.items():
    number = np.int32() if type(part) is int else part  # As JAX takes it.
    found, dtype = getattr(number, 'shape', None), getattr(number, 'dtype', type(part).__name__)
    if found != shape or not jnp.issubdtype(dtype, kind):
      found = errors.shortened(part) if found is None else f'{list(found)} of {dtype}'
      raise errors.UserError(f'{who} returns {name} {found}; {must} {_said(wanted)}')


def _said(wanted):
  return ', '.join(f'{name} {list(shape)} of {_KINDS[kind]}'
                   for name, (_, shape, kind) in wanted.items())


_KINDS = {np.floating: 'float', np.bool_: 'bool', np.integer: 'int'}


def stored(task, length: Any) -> Any:
  """What a task's `stores` says of n items, n known or traced.

  Raises:
    UserError: it fails or gives no whole number.
  """
  must = 'it must take n, which may be traced, and return'
  try:
    found = task.stores(length)
  except Exception as error:
    raise errors.UserError(f'stores of task {task.name!r} fails ({reason(error)}); {must} a whole '
                           'number: use jnp.minimum, not min') from error
  _check_arrays(f'task {task.name!r}', must, {'stores': (found, (), np.integer)})
  return found


def reason(error: Exception) -> str:
  """What went wrong in a user's function, in a line.

  >>> reason(KeyError('x'))
  "KeyError: 'x'"
  """
  return f'{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}'


# What a task uses of `Items`.
_OF_KIND = {'items': ('width', 'embedding', 'draw'),
            'answers': ('outputs', 'unit', 'losses', 'right', 'decoded', 'chosen')}


def kind(name: str, what: str, given: Any):
  """Checks a kind of `items` or `answers` of a task, which is known by what it has.

  Raises:
    UserError: it lacks a part; says which.
  """
  if isinstance(given, type):
    raise errors.UserError(f'{what} of task {name!r} is the class {given.__name__}; give a kind '
                           'that is made of it, e.g. items.Bits(8)')
  lacking = [part for part in _OF_KIND[what] if not hasattr(given, part)]
  if lacking:
    raise errors.UserError(f'{what} of task {name!r}: {errors.shortened(given)} has no '
                           f'{", ".join(lacking)}; give a kind of item, e.g. items.Bits(8)')


@functools.lru_cache(maxsize=256)  # A launch asks a dozen times.
def units(name: str, answers: Any):
  """Checks what a task's kind of answers says of their units, in shapes alone.

  Raises:
    UserError: it fails, or is of another shape than `items.Items` says.
  """
  outputs = jax.ShapeDtypeStruct((2, 3, answers.outputs), jnp.float32)
  for what in ('losses', 'right'):
    of_task = f'{what} of the answers of task {name!r}'
    try:
      found = jax.eval_shape(getattr(answers, what), outputs, outputs)
    except Exception as error:
      raise errors.UserError(f'{of_task} fails ({reason(error)}); it takes outputs and targets, '
                             'both [..., Y], traced') from error
    items.by_unit(of_task, found, (2, 3))


def rotation(what: str, value: Any) -> int | float:
  """By how many places, or by which fraction of all, a task rotates.

  Raises:
    UserError: it is neither a whole number nor a fraction between -1 and 1.
  """
  if isinstance(value, float) and -1 < value < 1:
    return value
  if not limits.is_whole(value) or abs(value) > config.LARGEST:
    raise errors.UserError(f'{what}: {errors.shortened(value)}; it must be a whole number of at '
                           f'most {config.LARGEST:,}, or a fraction of all between -1 and 1')
  return int(value)


def start(name: str, given: str):
  """Checks where a task says that a cell starts.

  Raises:
    UserError: it is none of `phases.STARTS`.
  """
  errors.pick(f'start in task {name!r}', given, dict.fromkeys(phases.STARTS))
