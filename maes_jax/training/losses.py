"""The loss: the mean over all units of answers that count, e.g. bits (paper, section 4.1)."""

from collections.abc import Mapping
import functools

import chex
from jax import lax
import jax.numpy as jnp

from maes_jax import items
from maes_jax import precision
from maes_jax import tasks
from maes_jax.items import Items


def masked_mean(
    outputs: chex.Array,  # [..., A, Y]
    targets: chex.Array,  # [..., A, Y]
    mask: chex.Array,  # [..., A]
    kind: Items,
    answers: chex.Array | None = None,  # []
) -> chex.Array:
  """Mean loss of every unit of every masked-in answer; a scalar.

  For a part of a batch, `answers` is how many answers of the whole are masked in: the parts'
  results then add up to the whole's. Where nothing is asked it is 0.
  """
  chex.assert_equal_shape([outputs, targets], custom_message='answers and targets')
  units = _losses(outputs, targets, mask, kind)
  total = jnp.sum(units)
  answers = mask.sum() if answers is None else answers
  return total / (units.shape[-1] * jnp.asarray(jnp.maximum(answers, 1), total.dtype))


def _losses(outputs, targets, mask, kind):
  """Of every unit, 0 where no answer counts; targets there may be anything, NaN too."""
  counts, outputs = mask[..., None], precision.at_least_single(outputs)
  # A derivative that is no number there times 0 would be none, either.
  outputs = jnp.where(counts, outputs, lax.stop_gradient(outputs))
  found = kind.losses(outputs, jnp.where(counts, targets, 0))
  return jnp.where(counts, items.by_unit('a loss', found, mask.shape), 0)


def worst(
    outputs: Mapping[str, chex.Array],  # by task, [B, A, Y]
    episodes: Mapping[str, tasks.Episode],  # by task, leaves [B, ...]
) -> chex.Array:
  """The largest loss of a unit of an answer that counts, of any task, by sequence [B]."""
  units = (_losses(outputs[name], batch.targets, batch.mask, tasks.get(name).answers)
           for name, batch in episodes.items())
  return functools.reduce(jnp.maximum, (of_task.max((1, 2)) for of_task in units))


def loss(
    outputs: Mapping[str, chex.Array],  # by task, [B, A, Y]
    episodes: Mapping[str, tasks.Episode],  # by task, leaves [B, ...]
    weights: Mapping[str, float],  # by task, sum 1
    answers: Mapping[str, chex.Array] | None = None,  # by task, []
) -> chex.Array:
  """Weighted mean over the tasks of their loss on one batch, or a part of one; a scalar."""
  return sum(
      weights[name] * masked_mean(
          outputs[name], batch.targets, batch.mask, tasks.get(name).answers,
          (answers or {}).get(name))
      for name, batch in episodes.items())
