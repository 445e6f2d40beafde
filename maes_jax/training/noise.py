"""Noise of training: what disturbs the steps of cells, so that they learn not to mind."""

from collections.abc import Callable, Mapping
import itertools
from typing import Any

import chex
import jax
import jax.numpy as jnp

from maes_jax import tasks
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params

FULL_EARLY = 4  # Noise is full at this fraction of the growth.


def serves(model: Model) -> bool:
  """Whether any cell of the model is disturbed in training."""
  cells = (model.encoder, *model.solvers.values())
  return any(cell.draw_noise(jax.random.key(0), 1) is not None for cell in cells)


def amount(grown: chex.Array) -> chex.Array:
  """How much of it there is once lengths have grown so far, 0 to 1: all of it soon.

  Against noise a unit learns to hold a bit in short sequences; in long ones there is too much of it
  to see that a bit was held for a while.
  """
  return jnp.minimum(FULL_EARLY * grown, 1.)


def answer_batch(
    model: Model,
    params: Params,
    episodes: Mapping[str, tasks.Episode],  # by task, leaves [B, ...]
    addresses: int,
    unroll: Callable,
    keys: chex.PRNGKey,  # [B]
    amounts: chex.Array,  # [B] 1: as much as the cells say
) -> dict[str, chex.Array]:
  """`Model.answer_batch` of a model that is disturbed, each sequence in its own way."""
  answer = lambda batch, key, amount: model.answer(
      params, batch, addresses, _disturbed(unroll, key, amount))
  return jax.vmap(answer)(episodes, keys, amounts)


def _disturbed(unroll, key, amount):
  """The same way to run over a phase, with noise; rounds of a `Repeat` have the same."""
  phases = itertools.count()

  def run(cell, params, state, inputs, steps) -> Any:
    noise = cell.draw_noise(jax.random.fold_in(key, next(phases)), len(inputs))
    noise = jax.tree.map(lambda leaf: amount * leaf, noise)
    return unroll(cell, params, state, inputs, steps, noise=noise)

  return run
