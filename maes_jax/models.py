"""Models as a config describes them, and a walk through one in shapes alone."""

from collections.abc import Sequence
import dataclasses
import functools

from flax import errors as flax_errors
import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import families
from maes_jax import phases
from maes_jax import shapes
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.encoder_solver import Embed
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params


def build(config: Config) -> Model:
  """The model that a config describes, as it stands.

  What it leaves open is as the cells have it. Training goes by `families.resolve(config)`, in which
  the recipe may give units, biases or a phase bit: build from that for parameters of a run.

  >>> build(Config(model='ntm', units=7)).encoder.units
  7

  Raises:
    UserError: an unknown model or task, or an option that the model does not have.
  """
  family = families.get(config.model)
  families.check_options(config)
  encoder = family.cell(**config.cell)
  solvers, of_cells = {}, families.solvers(config)
  for asked in map(tasks.get, config.task):
    for name, outputs in _cells(asked, config.max_length, family.tied).items():
      given = {**config.cell, **of_cells.get(name, {}), **config.solver}
      solvers[name] = family.cell(outputs=outputs, **given)
  for name in of_cells:
    errors.pick('cell', name, solvers)
  phase_bit = family.tied and bool(config.phase_bit)
  return Model(encoder, solvers, family.tied, phase_bit=phase_bit,
               **_reading(config.task, family.tied, phase_bit))


def _cells(task, max_length, tied):
  """A task's solver and, where cells are not tied, all that its program names as its own.

  By name, with Y of those that are asked; others answer nothing.
  """
  found = {task.name: task.outputs}
  if not tied:
    episode = tasks.dry_run(task, max(max_length, task.shortest))
    named = phases.cells(task.name, episode.program)
    found |= {name: task.outputs * asked for name, asked in sorted(named.items())
              if name.startswith(task.name + phases.OWN)}
  return found


def _reading(names, tied, phase_bit):
  """X and what is made of it, which all tasks of a model must have in common.

  Several sequences of a task have control bits of their own, which only a tied model reads as such.
  """
  first, *others = (tasks.get(name) for name in names)
  bits = lambda task: task.all_control_bits if tied else task.control_bits
  for other in others:
    if (bits(other), other.items) != (bits(first), first.items):
      raise errors.UserError(
          f'tasks {first.name!r} and {other.name!r} store different items ({first.items} with '
          f'{bits(first)} control bits, {other.items} with {bits(other)}); a model can only be '
          'asked tasks that store the same')
  embedding, control_bits = first.items.embedding, bits(first) + phase_bit
  return {'inputs': control_bits + first.items.width, 'control_bits': control_bits,
          'embed': embedding and Embed(embedding, control_bits),
          'sequences': 1 if tied else max(tasks.get(name).sequences for name in names)}


def check(config: Config):
  """Walks through a resolved config's model and tasks, in training and in validation; see `walk`.

  Raises:
    UserError: whatever `build` or `walk` raises.
  """
  model, asked = build(config), [tasks.get(name) for name in config.task]
  for task in asked:
    _check_lengths(task, config)
  if config.ring != 'whole':
    _check_ring(model, config)
  walk(model, asked, ((config.max_length, config.memory),
                      (config.validation_length, config.validation_memory)), config.model)


def _check_ring(model, config):
  """Whether one cell is on duty throughout, and can do without some of its addresses."""
  cell, number = model.encoder, jax.ShapeDtypeStruct((), jnp.int32)
  if not model.tied:
    raise errors.UserError(f'model {config.model!r} with ring={config.ring!r}: cells that take '
                           "turns have all addresses; train with ring='whole'")
  try:
    jax.eval_shape(lambda ring: cell.in_ring(cell.initial_state(config.memory), ring), number)
  except TypeError as error:
    raise errors.UserError(f'model {config.model!r} with ring={config.ring!r}: {error}') from error


def _check_lengths(task, config):
  """Whether sequences are as long as a task needs, and short enough to be drawn from data."""
  for option in ('start_min_length', 'min_length', 'validation_length'):
    if getattr(config, option) < task.at_least:
      raise errors.UserError(
          f'task {task.name!r} needs {task.at_least:,} items or more and {option} is '
          f'{getattr(config, option):,}; use {option} of at least {task.at_least:,}')
  for split, option, memory in ((tasks.TRAINING, 'max_length', 'memory'),
                                (tasks.HELD_OUT, 'validation_length', 'validation_memory')):
    longest = task.longest(split)
    if longest and longest > getattr(config, option):
      raise errors.UserError(
          f'task {task.name!r} has a sequence of {longest:,} items where {option} is '
          f'{getattr(config, option):,}; use {option} of at least {longest:,} and {memory} of at '
          f'least {longest + 1:,}, or take longer ones out of its arrays')


def walk(
    model: Model, asked: Sequence[tasks.Task], sizes: Sequence[tuple[int, int]], name: str = ''):
  """Walks through a model and its tasks in shapes alone: what is impossible shows before any work.

  Args:
    model: what answers.
    asked: the tasks that it is asked; they are tried at their shortest, too.
    sizes: what sequences are padded to, and N addresses, for each use of the model.
    name: of the model; by default that of its cell.

  Raises:
    UserError: a task that the model has no solver for or that asks no proper question, sizes that
      do not go together, e.g. a shift kernel wider than the memory, or answers of other shapes
      than the task's targets.
  """
  drawn = [_drawn(asked, length) for length, _ in sizes]
  for task in asked:
    check_reads(model, task)
    tasks.dry_run(task, task.shortest)
  model = _with_solvers(model, drawn[0])
  for episodes, (length, addresses) in zip(drawn, sizes):
    for task in asked:
      _check_room(task, episodes[task.name].program, length, model, addresses)
  name = name or type(model.encoder).__name__.lower()
  try:
    params = parameters(model)
    with shapes.quietly():
      answers = [jax.eval_shape(functools.partial(model.answer, addresses=addresses),
                                params, episodes)
                 for episodes, (_, addresses) in zip(drawn, sizes)]
  except (ValueError, TypeError, AssertionError, flax_errors.FlaxError) as error:
    raise errors.UserError(f'model {name!r}: {" ".join(str(error).split())}') from error
  for logits, episodes in zip(answers, drawn):
    _check_answers(name, logits, episodes)


def _drawn(asked, length):
  """An episode by task in shapes alone; what is no task is refused before its name is read."""
  episodes = [tasks.dry_run(task, length) for task in asked]
  return {task.name: episode for task, episode in zip(asked, episodes)}


def _check_answers(name, logits, episodes):
  """Whether answers by task have the shapes of the targets."""
  for asking, episode in episodes.items():
    targets = jax.eval_shape(lambda episode: episode.targets, episode).shape
    if logits[asking].shape != targets:
      raise errors.UserError(
          f'model {name!r} answers {list(logits[asking].shape)} where task {asking!r} has targets '
          f'{list(targets)} ([A, Y]); its output layer must be of Y = `outputs`')


def check_reads(model: Model, task: tasks.Task):
  """Whether a model reads a task's items as such: a surplus of numbers would pass for control bits.

  Raises:
    UserError: the task's control bits or items are of another number than those of the model.
  """
  # Cells that take turns read the control bits of all sequences as those of one.
  bits = (task.all_control_bits if model.tied else task.control_bits) + model.phase_bit
  if (bits, bits + task.items.width) != (model.control_bits, model.inputs) or (
      task.sequences > model.sequences and not model.tied):
    raise errors.UserError(
        f'task {task.name!r} has {task.sequences} x {task.control_bits} control bits and items of '
        f'{task.items.width} numbers, and this model reads {model.control_bits - model.phase_bit} '
        f'and {model.inputs - model.control_bits}; give a task that stores the same')


def _with_solvers(model, episodes):
  """The model with those solvers alone that these episodes need."""
  needed = {cell for task, episode in episodes.items()
            for cell in phases.cells(task, episode.program)} - {phases.ENCODER}
  if model.tied:  # Then what a task has of its own is the one cell, too.
    needed = {cell for cell in needed if phases.owner(cell) not in episodes}
  solvers = {name: model.cell(name) for name in sorted(needed | set(episodes))}
  if model.tied and needed:
    raise errors.UserError(f'one cell of this model is on duty throughout, so that no phase can '
                           f'be for {", ".join(sorted(needed))}; make it for '
                           f'{phases.SOLVER!r} or use a model whose cells are not tied')
  return dataclasses.replace(model, solvers=solvers)


def _check_room(task, program, length, model, addresses):
  """Every step of storing needs an address of its own, if the task does not know better; what
  keeps every step needs room for all."""
  stored = task.needs(length) if task.stores else phases.size(program, phases.ENCODER)
  check_holds(model, addresses, task, stored)
  needed = model.addresses_for(phases.size(program))
  if needed > addresses:
    raise errors.UserError(
        f'task {task.name!r} has sequences of up to {phases.size(program):,} steps, of which '
        f'{type(model.encoder).__name__} forgets the first with {addresses:,} addresses; use a '
        f'memory of at least {needed:,}')


def check_holds(model: Model, addresses: int, task: tasks.Task, stored: int):
  """Whether a model's memory holds what a task stores.

  Raises:
    UserError: it stores in more addresses than there are, and may not use them again.
  """
  if stored > addresses and not task.reuses_memory and memory_of(model, addresses) is not None:
    raise errors.UserError(
        f'task {task.name!r} stores up to {stored:,} items and markers, and the memory has '
        f'{addresses:,} addresses; use a memory of at least {stored:,}, or give the task '
        'reuses_memory=True if what it stores may be written over')


@shapes.quietly()
def parameters(model: Model):
  """The shapes of a model's parameters."""
  return jax.eval_shape(lambda: model.init(jax.random.key(0)))


@shapes.quietly()
def memory_of(model: Model, addresses: int) -> jax.ShapeDtypeStruct | None:
  """The shape of a model's memory, [W, N]; None if it has none."""
  state = jax.eval_shape(lambda: model.encoder.initial_state(addresses))
  return getattr(state, 'memory', None)


def memory_to_see(model: Model, addresses: int) -> jax.ShapeDtypeStruct:
  """`memory_of` for those who look at it.

  Raises:
    UserError: it has none.
  """
  memory = memory_of(model, addresses)
  if memory is None:
    raise errors.UserError('this model has no memory to look at; choose one that has, e.g. maes')
  return memory


def check_params(params: Params, like: Params):
  """Whether parameters are those of one model; there may be solvers more, or fewer.

  Args:
    params: what was given.
    like: the `parameters` of such a model, which take longer to find out than a short test.

  Raises:
    UserError: they are none, or of other shapes.
  """
  encoder_solver.check_params(params)
  wanted = dict(jax.tree_util.tree_leaves_with_path(like))
  for path, leaf in jax.tree_util.tree_leaves_with_path(params):
    if path in wanted and np.shape(leaf) != wanted[path].shape:
      is_population = np.shape(leaf)[1:] == wanted[path].shape
      raise errors.UserError(
          f'the parameters{jax.tree_util.keystr(path)} are {list(np.shape(leaf))} and this model '
          f'has {list(wanted[path].shape)}; ' + (
              'of a population give one model, jax.tree.map(lambda leaf: leaf[k], params)'
              if is_population else 'give those of such a model'))


def count_parameters(config: Config) -> int:
  """How many parameters a model has that is trained by this config, all its solvers included."""
  return sum(leaf.size for leaf in jax.tree.leaves(parameters(build(families.resolve(config)))))
