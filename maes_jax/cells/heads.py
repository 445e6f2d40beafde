"""How a head addresses the memory, as the cells' option `head` names it.

A head gets its numbers from the cell's interface layer, and says from them, the memory and where it
looked last where it looks next. The NTM's heads address by content and then shift, MAES's shift;
one that jumps may go back to address 0 first, where the encoder began.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import addressing
from maes_jax import errors
from maes_jax import memory

_SELDOM = 3.  # A gate half open at first would spread attention at every step.


class Shift(NamedTuple):
  """What a head needs that moves by shifts alone."""
  kernel: chex.Array  # s_t [2k + 1], sums to 1
  gamma: chex.Array  # gamma_t [] >= 1, as in the paper, or more


class Content(NamedTuple):
  """What a head needs that looks by content first (Graves et al. 2014, section 3.3)."""
  key: chex.Array  # k_t [W]
  strength: chex.Array  # beta_t [] > 0
  gate: chex.Array  # g_t [] in (0, 1)
  kernel: chex.Array  # s_t [2k + 1], sums to 1
  gamma: chex.Array  # gamma_t [] >= 1


class Jump(NamedTuple):
  """What a head needs that may go back to address 0 first, as the DWM's (arXiv:1809.11087)."""
  gate: chex.Array  # g_t [] in (0, 1), how much of attention jumps
  move: Shift


def shift(raw: chex.Array, least_gamma: float = 1.) -> Shift:
  """Splits a head's part of the interface layer's output [(2k + 1) + 1]."""
  kernel, gamma = jnp.split(raw, [raw.size - 1])
  return Shift(kernel=jax.nn.softmax(kernel), gamma=least_gamma + jax.nn.softplus(gamma[0]))


def softplus_shift(raw: chex.Array) -> Shift:
  """`shift` as the codes of MAES's authors have it: s_t = softmax(softplus(raw))."""
  kernel, gamma = jnp.split(raw, [raw.size - 1])
  return shift(jnp.concatenate([jax.nn.softplus(kernel), gamma]))


def content(raw: chex.Array, width: int) -> Content:
  """Splits a head's part of the interface layer's output [W + (2k + 1) + 3]."""
  key, kernel, scalars = jnp.split(raw, [width, raw.size - 3])
  return Content(
      key=key,
      strength=jax.nn.softplus(scalars[0]),
      gate=jax.nn.sigmoid(scalars[1]),
      kernel=jax.nn.softmax(kernel),
      gamma=1 + jax.nn.softplus(scalars[2]))


def jump(raw: chex.Array, least_gamma: float = 1.) -> Jump:
  """Splits a head's part of the interface layer's output [1 + (2k + 1) + 1]."""
  return Jump(gate=jax.nn.sigmoid(raw[0] - _SELDOM), move=shift(raw[1:], least_gamma))


def walk(bias: float, shift_range: int) -> np.ndarray:
  """First biases [2k + 1] of s_t, before its softmax, for a step on; negative: for one back."""
  biases = np.zeros(2 * shift_range + 1, np.float32)
  if shift_range:
    biases[shift_range + (1 if bias >= 0 else -1)] = abs(bias)
  return biases


def move(params: Shift | Content, attention: chex.Array,
         ring: chex.Array | None = None) -> chex.Array:
  """Attention [N] shifted, then sharpened (MAES: Algorithm 1, line 4; NTM: equations 8 and 9)."""
  # w~_t(i) = sum_j w(j) s_t(i - j);  w_t(i) = w~_t(i)^gamma_t / sum_j w~_t(j)^gamma_t
  return memory.sharpen(memory.shift(attention, params.kernel, ring), params.gamma)


def address(params: Content, memory_tm1: chex.Array, attention_tm1: chex.Array,
            ring: chex.Array | None = None) -> chex.Array:
  """Attention w_t [N] from M_{t-1} [W, N] and w_{t-1} [N] (NTM: figure 2, equations 5 to 9).

  Of a `ring` of the first addresses alone the others are not there.
  """
  content_t = addressing.content_weights(memory_tm1, params.key, params.strength, ring)
  return move(params, addressing.interpolate(content_t, attention_tm1, params.gate), ring)


@dataclasses.dataclass(frozen=True)
class Head:
  """A way to address a memory.

  Attributes:
    size: how many numbers of the interface it needs, by the word width W and the shift range k.
    address: (its numbers, M_{t-1} [W, N], w_{t-1} [N]) -> w_t [N], non-negative, sum 1.
    by_shifts: attention moves by k addresses a step at most, whatever the memory holds. Long tests
      then follow it through a window.
    sharpens: the last of its numbers becomes gamma: `gamma_bias` is where that starts.
    kernel: which of its numbers, by W and k, become s_t: `start_scale` is about their weights. None
      where it has none.
  """
  size: Callable[[int, int], int]
  address: Callable[[chex.Array, chex.Array, chex.Array], chex.Array]
  by_shifts: bool = False
  sharpens: bool = False
  kernel: Callable[[int, int], slice] | None = None


def _by_shift(raw, memory_tm1, attention_tm1, least_gamma=1.):
  del memory_tm1
  return move(shift(raw, least_gamma), attention_tm1)


def _by_content(raw, memory_tm1, attention_tm1):
  return address(content(raw, len(memory_tm1)), memory_tm1, attention_tm1)


def _by_jump(raw, memory_tm1, attention_tm1, least_gamma=1.):
  del memory_tm1
  params = jump(raw, least_gamma)
  first = jax.nn.one_hot(0, attention_tm1.size, dtype=attention_tm1.dtype)
  # w~_t = g_t e_0 + (1 - g_t) w_{t-1}
  return move(params.move, addressing.interpolate(first, attention_tm1, params.gate))


_SHIFT = Head(lambda width, k: 2 * k + 2, _by_shift, by_shifts=True, sharpens=True,
              kernel=lambda width, k: slice(0, 2 * k + 1))
_JUMP = Head(lambda width, k: 2 * k + 3, _by_jump, sharpens=True,
             kernel=lambda width, k: slice(1, 2 * k + 2))


def _sharp(head):
  """gamma_t >= 2: where s_t is nearly one shift, other addresses have less with every step."""
  return dataclasses.replace(head, address=functools.partial(head.address, least_gamma=2.))


HEADS: dict[str, Head] = {
    'shift': _SHIFT,
    'sharp': _sharp(_SHIFT),
    'content': Head(lambda width, k: width + 2 * k + 4, _by_content, sharpens=True,
                    kernel=lambda width, k: slice(width, width + 2 * k + 1)),
    'jump': _JUMP,
    'sharp_jump': _sharp(_JUMP),
}


def register(name: str, head: Head):
  """Makes a head known by its name.

  Raises:
    UserError: the name is taken.
  """
  errors.add('head', name, head, HEADS)
