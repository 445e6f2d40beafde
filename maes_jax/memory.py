"""One memory step in four pure functions (paper, Algorithm 1).

Shapes, everywhere without a batch axis:
  memory [W, N], addresses last: the paper's M x N array. The long axis lies on the SIMD lanes.
  attention [N], non-negative, sums to 1.
"""

import chex
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import precision
from maes_jax import shapes


def read(memory: chex.Array, attention: chex.Array) -> chex.Array:
  """Reads the word [W] that `attention` [N] points at (Algorithm 1, line 1)."""
  shapes.check(memory=(memory, 'WN', float), attention=(attention, 'N', float))
  # r_t = M_{t-1} w_{t-1}
  return memory @ attention


def erase_and_add(
    memory: chex.Array,  # [W, N]
    attention: chex.Array,  # [N]
    erase: chex.Array,  # [W] in (0, 1)
    add: chex.Array,  # [W]
) -> chex.Array:
  """Writes where `attention` points, returns the new memory [W, N] (Algorithm 1, line 3)."""
  shapes.check(memory=(memory, 'WN', float), attention=(attention, 'N', float),
               erase=(erase, 'W', float), add=(add, 'W', float))
  # M_t = M_{t-1} o (1 - e_t w_t^T) + a_t w_t^T
  return memory * (1 - jnp.outer(erase, attention)) + jnp.outer(add, attention)


def shift(
    attention: chex.Array, kernel: chex.Array, ring: chex.Array | None = None) -> chex.Array:
  """Moves attention [N] by circular convolution (Algorithm 1, line 4: conv).

  Args:
    attention: [N].
    kernel: [2k + 1] weights for shifts -k ... +k; tap j moves weight j - k addresses forward.
    ring: [] how many addresses there are, 2k + 1 to N; those beyond carry nothing. None: all.

  >>> shift(jnp.array([0., 0., 1., 0.]), jnp.array([0., .25, .75])).tolist()
  [0.0, 0.0, 0.25, 0.75]

  Raises:
    ValueError: the kernel has an even number of taps, or more taps than there are addresses, all
      of them or, where the number is known, those of the ring; or the ring has more than all.
  """
  shapes.check(attention=(attention, 'N', float), kernel=(kernel, 'K', float))
  (size,), (taps,) = attention.shape, kernel.shape
  if taps % 2 == 0:
    raise ValueError(f'shift kernel has {taps} taps; it needs an odd number, 2k + 1')
  if taps > size:
    raise ValueError(f'shift kernel has {taps} taps but memory only {size} addresses; '
                     f'use at least {taps} addresses')
  _check_ring(ring, taps, size)
  # w~_t(i) = sum_j s_t(j) w_{t-1}(i - (j - k))
  moved = _moved(attention, taps) if ring is None else _moved_in(attention, taps, ring)
  return sum(kernel[j] * shifted for j, shifted in enumerate(moved))


def _check_ring(ring, taps, size):
  if ring is not None and not isinstance(ring, jax.core.Tracer) and not taps <= ring <= size:
    raise ValueError(f'ring is {ring}; with {taps} taps and {size} addresses it must be a whole '
                     f'number of {taps} to {size}')


def _moved(attention, taps):
  """Attention moved by each of the shifts -k ... +k."""
  k, size = taps // 2, attention.size
  wrapped = jnp.concatenate([attention[size - k:], attention, attention[:k]])
  return [wrapped[start:start + size] for start in reversed(range(taps))]


def _moved_in(attention, taps, ring):
  """The same on a ring of the first addresses alone: what leaves it at one end enters at the other.
  """
  k, size = taps // 2, attention.size
  inside = jnp.arange(size, dtype=jnp.int32) < ring
  attention = jnp.where(inside, attention, 0)
  end = lax.dynamic_slice_in_dim(attention, ring - k, k)
  wrapped = jnp.concatenate([end, attention, jnp.zeros(k, attention.dtype)])
  wrapped = lax.dynamic_update_slice_in_dim(wrapped, attention[:k], ring + k, axis=0)
  return [jnp.where(inside, wrapped[start:start + size], 0) for start in reversed(range(taps))]


def sharpen(attention: chex.Array, gamma: chex.Array) -> chex.Array:
  """Concentrates attention [N] by the power gamma >= 1 (Algorithm 1, line 4: sharpen).

  Works on logarithms, so that the result sums to 1 and has a finite gradient however flat the
  attention or large the power; addresses of no weight keep none. What is no number stays none.

  >>> sharpen(jnp.array([.5, .25, .25, 0.]), gamma=1.).round(3).tolist()
  [0.5, 0.25, 0.25, 0.0]
  """
  shapes.check(attention=(attention, 'N', float), gamma=(gamma, '', float))
  # w_t = w~_t^gamma / sum w~_t^gamma = softmax(gamma log w~_t)
  weights = precision.at_least_single(attention)
  gamma = jnp.asarray(gamma, weights.dtype)
  present = ~(weights < jnp.finfo(weights.dtype).tiny)  # 1 / w overflows below; NaN stays NaN
  logits = gamma * jnp.log(jnp.where(present, weights, 1))
  return jax.nn.softmax(logits, where=present).astype(attention.dtype)
