"""Where a head looks by content: the addressing that the NTM and the DNC share.

Shapes, without a batch axis: memory [W, N] addresses last, key [W], attention [N].
Addressing by location, the convolutional shift and the sharpening, is in `memory`.
"""

import chex
import jax
import jax.numpy as jnp
from jax import lax

from maes_jax import precision

# Cosines divide by lengths. Vectors shorter than this are treated as this long: the similarity of
# an empty word or an empty key is then 0, and no gradient grows by more than the inverse of this.
SHORTEST = 1e-3


def cosine_similarity(memory: chex.Array, key: chex.Array) -> chex.Array:
  """How alike each word of memory [W, N] is to the key [W]: [N] in [-1, 1].

  Source: Graves et al. 2014 (NTM), equation 6; Graves et al. 2016 (DNC), methods, D(u, v). Both
  leave u = 0 and v = 0 open; here either gives 0, see `SHORTEST`. Words or keys longer than 1e19,
  whose squares float32 does not hold, give NaN.
  """
  memory_, key_ = precision.at_least_single(memory), precision.at_least_single(key)
  # K[u, v] = u . v / (|u| |v|)
  similarity = key_ @ memory_ * _inverse_length(memory_) * _inverse_length(key_)
  return similarity.astype(memory.dtype)


def content_weights(
    memory: chex.Array,  # [W, N]
    key: chex.Array,  # [W]
    strength: chex.Array,  # [] >= 0
    ring: chex.Array | None = None,  # [] how many of the addresses there are; None: all
) -> chex.Array:
  """Attention [N] on the words of the memory that are like the key, sharper with the strength.

  Source: Graves et al. 2014 (NTM), equation 5; Graves et al. 2016 (DNC), methods, C(M, k, beta).
  """
  # w^c_t(i) = exp(beta_t K[k_t, M_t(i)]) / sum_j exp(beta_t K[k_t, M_t(j)])
  scores = strength * cosine_similarity(memory, key)
  there = None if ring is None else jnp.arange(scores.size, dtype=jnp.int32) < ring
  return jax.nn.softmax(scores, where=there)


def interpolate(content_t: chex.Array, attention_tm1: chex.Array, gate: chex.Array) -> chex.Array:
  """Blends attention by content [N] with the last attention [N] by the gate [] in (0, 1).

  Source: Graves et al. 2014 (NTM), equation 7.
  """
  # w^g_t = g_t w^c_t + (1 - g_t) w_{t-1}
  return gate * content_t + (1 - gate) * attention_tm1


def check_sizes(addresses: int, width: int, **heads: int) -> None:
  """Checks a memory of `addresses` (N) words of `width` (W) against the numbers of heads.

  Raises:
    ValueError: W < 1, a number of heads < 1, or more heads of a kind than addresses.
  """
  if width < 1:
    raise ValueError(f'memory words have width {width}; use a width of at least 1')
  for name, count in heads.items():
    if not 1 <= count <= addresses:
      raise ValueError(f'{name} is {count} but memory has {addresses} addresses; '
                       f'use 1 to {addresses} heads or more addresses')


def _inverse_length(vectors: chex.Array) -> chex.Array:
  """1 / |v| over the first axis, for [W] or [W, N]; NaN where |v|^2 is no number of its dtype."""
  squares = jnp.sum(vectors**2, axis=0)
  # Of infinity this would be 0, as if such a word were like nothing; 0 times it is no number, and
  # said there alone, where whoever looks for undefined numbers step by step is told of them.
  found = lax.rsqrt(jnp.maximum(squares, SHORTEST**2))
  return jnp.where(squares < jnp.inf, found, 0 * squares)
