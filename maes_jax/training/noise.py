"""Noise of training: what disturbs the steps of cells, so that they learn not to mind."""

from collections.abc import Callable, Mapping
import itertools
from typing import Any

import chex
import jax

from maes_jax import tasks
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params


def serves(model: Model) -> bool:
  """Whether any cell of the model is disturbed in training."""
  cells = (model.encoder, *model.solvers.values())
  return any(cell.draw_noise(jax.random.key(0), 1) is not None for cell in cells)


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
