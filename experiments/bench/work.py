"""Floating-point operations and bytes of MAES, counted on paper.

Letters: N addresses, W word width, H controller units, T' = 2k + 1 taps of the shift kernel,
X inputs, Y outputs, Z = X + H + W what the layers see, P = H + (2 W + T' + 1) + Y what they give.
A multiplication, an addition, a comparison, an exponential and a logarithm count one each.

One step of one sequence, forward:
  layers            2 Z P       y = A z + b
  read              2 W N       r = M w
  erase and add     5 W N       M (1 - e w) + a w: three products, a difference, a sum
  shift             (2 T' - 1) N
  sharpen           7 N         log, times gamma, less the largest (two), exp, sum, divide
Backward:
  layers            4 Z P       the gradients of A and of z
  read              4 W N       of M and of w
  erase and add    12 W N       of M: 3, of e: 3, of a: 2, of w: 4
  shift             4 T' N      of the kernel and of w
  sharpen          10 N

Bytes, the least that have to move with four to a number: forward reads and writes M and w, and
reads the layers' A; backward reads what forward left, reads and writes the gradient of M and of w,
reads A and adds to its gradient. Sequences of a batch share A.
"""

from typing import NamedTuple

_BYTES = 4


class Sizes(NamedTuple):
  """The sizes of one cell."""
  addresses: int  # N
  width: int = 10  # W
  units: int = 5  # H
  taps: int = 3  # T'
  inputs: int = 10  # X
  outputs: int = 8  # Y; 0 for an encoder

  @property
  def weights(self) -> int:
    """Z P, the entries of the layers' matrices."""
    seen = self.inputs + self.units + self.width
    return seen * (self.units + 2 * self.width + self.taps + 1 + self.outputs)


class Work(NamedTuple):
  """What a computation has to do at least."""
  flops: float
  bytes: float

  def seconds(self, flops_per_second: float, bytes_per_second: float) -> float:
    """The least time it can take on a machine with these limits."""
    return max(self.flops / flops_per_second, self.bytes / bytes_per_second)


def forward(sizes: Sizes, batch: int = 1) -> Work:
  """One step of one sequence."""
  n, wn = sizes.addresses, sizes.width * sizes.addresses
  flops = 2 * sizes.weights + 7 * wn + (2 * sizes.taps + 6) * n
  return Work(flops, _BYTES * (2 * wn + 2 * n + sizes.weights / batch))


def backward(sizes: Sizes, batch: int = 1) -> Work:
  """The gradient of one step of one sequence, the forward pass not counted."""
  n, wn = sizes.addresses, sizes.width * sizes.addresses
  flops = 4 * sizes.weights + 16 * wn + (4 * sizes.taps + 10) * n
  return Work(flops, _BYTES * (3 * wn + 3 * n + 3 * sizes.weights / batch))


def train_iteration(addresses: int, batch: int, mean_length: float) -> Work:
  """One iteration of one model: the steps of all sequences of a batch, padding not counted."""
  parts = [part(sizes, batch) for sizes in _cells(addresses) for part in (forward, backward)]
  return _times(batch * (mean_length + 1), parts)


def test_sequence(addresses: int, batch: int, length: int) -> Work:
  """One sequence read and answered."""
  return _times(length + 1, [forward(sizes, batch) for sizes in _cells(addresses)])


def _cells(addresses):
  """An encoder and a solver."""
  return Sizes(addresses, outputs=0), Sizes(addresses)


def _times(steps, parts):
  return Work(steps * sum(part.flops for part in parts), steps * sum(part.bytes for part in parts))
