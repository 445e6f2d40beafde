"""Two of the paper's pictures as numbers: how an encoder writes, and whether it is biased."""

import dataclasses
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from maes_jax import errors
from maes_jax import limits
from maes_jax import models
from maes_jax import phases
from maes_jax import randomness
from maes_jax import room
from maes_jax import tasks
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params


class Writing(NamedTuple):
  """How hard and how sequential the writes of one sequence are (paper, Figure 6)."""
  hardness: chex.Array  # [] smallest share of write attention on its largest address
  distinct: chex.Array  # [] share of the items written to an address of their own
  constant_step: chex.Array  # [] share of moves between items that are the commonest move
  step: chex.Array  # [] the commonest move, in addresses, between -N/2 and N/2


def writing(model: Model, params: Params, length: int, addresses: int) -> Writing:
  """Measures the writes of one random sequence of `length` items, 2 at least.

  Raises:
    UserError: a number out of its bounds, a memory too small for the sequence or for the model, or
      none at all, or a task whose encoder does not read all the items at first, in one phase. So do
      the other functions that take a model.
  """
  episode = _sample(model, length, addresses)
  if length == 1:
    raise errors.UserError('length is 1, and nothing moves from one item to the next; use at '
                           'least 2')
  _, attention = _encode(model, params, episode, addresses)
  written = attention[1:].argmax(-1)  # [n] by item; the marker comes first
  used = jnp.zeros(addresses).at[written].add(1)
  moves = (jnp.diff(written) + addresses // 2) % addresses - addresses // 2
  histogram = jnp.bincount(moves + addresses // 2, length=addresses)
  return Writing(
      hardness=attention[1:].max(-1).min(),
      distinct=jnp.sum(used == 1) / length,
      constant_step=histogram.max() / (length - 1),
      step=histogram.argmax() - addresses // 2)


def encode_random(model: Model, params: Params, length: int, addresses: int):
  """The memory [W, N] after one random sequence, and the write attention [length + 1, N]."""
  return _encode(model, params, _sample(model, length, addresses), addresses)


def repeated_words(model: Model, params: Params, length: int, addresses: int) -> chex.Array:
  """What the encoder stores of one item repeated `length` times, [length, W] (Figure 7)."""
  episode = _sample(model, length, addresses)
  stored, *rest = episode.program
  repeated = dataclasses.replace(stored, inputs=stored.inputs.at[1:].set(stored.inputs[1]))
  episode = episode._replace(program=(repeated, *rest))
  memory, attention = _encode(model, params, episode, addresses)
  return memory.T[attention[1:].argmax(-1)]


def forward_bias(words: chex.Array) -> chex.Array:
  """Spread of stored words [n, W] round their mean, as a share of its length; 0 without bias."""
  mean = words.mean(0, keepdims=True)
  distances = jnp.linalg.norm(words - mean, axis=-1)
  return jnp.sqrt(jnp.mean(distances ** 2)) / jnp.linalg.norm(mean)


def _sample(model, length, addresses):
  """One random sequence, once all is known to be possible."""
  limits.check(length=length, addresses=addresses)
  task = _task(model)
  models.walk(model, [task], [(length, addresses)])
  models.memory_to_see(model, addresses)
  room.check_test(model, task, length, addresses, batch_size=1)
  with jax.ensure_compile_time_eval():  # How long its phases are is known, whatever JAX traces.
    episode = tasks.sample(task, _key(), length, length)
  _check_program(task, episode.program, length)
  return episode


def _check_program(task, program, length):
  """Whether a marker and the items come first, and the encoder has no more to do."""
  first, *rest = program
  alone = all(phase.cell != phases.ENCODER for part in rest for phase in phases.of(part))
  if (not isinstance(first, phases.Phase) or first.cell != phases.ENCODER or not alone or
      len(first.inputs) != 1 + length or int(first.steps) != 1 + length):
    raise errors.UserError(
        f'task {task.name!r} does not begin with a phase in which the encoder reads a marker and '
        f'all of {length:,} items, and then has done; use a model of a task that does, e.g. '
        "'serial_recall'")


def _encode(model, params, episode, addresses):
  """The memory [W, N] and the write attention [T, N] of the first head, of the first phase."""
  (steps,), *_ = model.trace(params, _task(model).name, episode.program[:1], addresses)
  return steps.memory[-1], steps.write[:, 0]


def _task(model):
  return tasks.get(phases.owner(next(iter(model.solvers))))


def _key():
  return randomness.key(0, randomness.Stream.TEST)
