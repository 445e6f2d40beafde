"""The paper's loss: average binary cross-entropy over all bits that count (section 4.1)."""

from collections.abc import Mapping

import chex
import jax.numpy as jnp
import optax

from maes_jax import tasks


def masked_cross_entropy(
    logits: chex.Array,  # [..., T, Y]
    targets: chex.Array,  # [..., T, Y]
    mask: chex.Array,  # [..., T]
    answers: chex.Array | None = None,  # []
) -> chex.Array:
  """Mean binary cross-entropy in nats over every bit of every masked-in step; a scalar.

  For a part of a batch, `answers` is how many steps of the whole are masked in: the parts' results
  then add up to the whole's.
  """
  chex.assert_equal_shape([logits, targets], custom_message='logits and targets')
  bits = optax.sigmoid_binary_cross_entropy(logits, targets)
  total = jnp.sum(bits, where=jnp.broadcast_to(mask[..., None], bits.shape))
  answers = mask.sum() if answers is None else answers
  return total / (bits.shape[-1] * jnp.asarray(answers, total.dtype))


def loss(
    logits: Mapping[str, chex.Array],  # by task, [B, T, Y]
    episodes: Mapping[str, tasks.Episode],  # by task, leaves [B, ...]
    weights: Mapping[str, float],  # by task, sum 1
    answers: Mapping[str, chex.Array] | None = None,  # by task, []
) -> chex.Array:
  """Weighted mean over the tasks of their cross-entropy on one batch, or a part; a scalar."""
  return sum(
      weights[name] * masked_cross_entropy(
          logits[name], batch.targets, batch.mask, (answers or {}).get(name))
      for name, batch in episodes.items())
