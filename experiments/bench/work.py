"""The least operations and bytes of MAES and the LSTM with the paper's sizes, counted on paper.

N addresses, Z P the entries of a cell's layers, T taps of the shift kernel, W the word width. A
multiplication, an addition, a comparison, an exponential and a logarithm count one each.

  of one step    forward       backward
  layers         2 Z P          4 Z P    y = A z + b
  read           2 W N          4 W N    r = M w
  erase and add  5 W N         12 W N    M (1 - e w) + a w: three products, a difference, a sum
  shift          (2 T - 1) N    4 T N
  sharpen        7 N           10 N      log, times gamma, less the largest (two), exp, sum, divide

Bytes, the least that have to move with four to a number: forward reads and writes M and w, and
reads the layers' A; backward reads what forward left, reads and writes the gradient of M and of w,
reads A and adds to its gradient. Sequences of a batch share A.

The LSTM's layers are too large for a core's cache: their bytes come from the memory that the cores
share. A step reads what it applies to h_{t-1} forward and backward; what it applies to the layer
below is read once each way, for all steps at once. The gradient of both is written once; Adam reads
it, both moments and the parameters, and writes the last three.
"""

from typing import NamedTuple

WIDTH, UNITS, TAPS, INPUTS, OUTPUTS = 10, 5, 3, 10, 8
LSTM_LAYERS, LSTM_UNITS = 3, 512
_BYTES = 4


class Work(NamedTuple):
  """What a computation has to do at least."""
  flops: float
  bytes: float  # That move within the cores' own caches.
  shared_bytes: float = 0.  # That come from beyond them.

  def seconds(self, flops_per_second: float, cache_bytes_per_second: float,
              shared_bytes_per_second: float) -> float:
    """The least time it can take on a machine with these limits."""
    return max(self.flops / flops_per_second, self.bytes / cache_bytes_per_second,
               self.shared_bytes / shared_bytes_per_second)


def weights(outputs: int) -> int:
  """Entries of the layers' matrices of a cell; an encoder has no outputs."""
  return (INPUTS + UNITS + WIDTH) * (UNITS + 2 * WIDTH + TAPS + 1 + outputs)


def step(addresses: int, outputs: int = OUTPUTS, batch: int = 1) -> tuple[Work, Work]:
  """One step of one sequence: forward, and its gradient."""
  n, wn, layers = addresses, WIDTH * addresses, weights(outputs)
  return (Work(2 * layers + 7 * wn + (2 * TAPS + 6) * n,
               _BYTES * (2 * wn + 2 * n + layers / batch)),
          Work(4 * layers + 16 * wn + (4 * TAPS + 10) * n,
               _BYTES * (3 * wn + 3 * n + 3 * layers / batch)))


def train_iteration(addresses: int, batch: int, mean_length: float) -> Work:
  """One iteration of one model: the steps of all sequences of a batch, padding not counted."""
  return _times(batch * (mean_length + 1), [
      part for outputs in (0, OUTPUTS) for part in step(addresses, outputs, batch)])


def lstm_weights() -> tuple[int, int]:
  """Entries of the matrices for h_{t-1}, and of those for what comes from below."""
  before = LSTM_LAYERS * 4 * LSTM_UNITS**2
  below = 4 * LSTM_UNITS * (INPUTS + (LSTM_LAYERS - 1) * LSTM_UNITS)
  return before, below


def lstm_iteration(mean_length: float) -> Work:
  """One iteration of one LSTM on a sequence."""
  before, below = lstm_weights()
  steps = 2 * (mean_length + 1)
  moved = 2 * steps * before + 2 * below + (1 + 7) * (before + below)
  return Work(6 * steps * (before + below), 0., _BYTES * moved)


def test_sequence(addresses: int, batch: int, length: int) -> Work:
  """One sequence read and answered."""
  return _times(length + 1, [step(addresses, outputs, batch)[0] for outputs in (0, OUTPUTS)])


def _times(steps, parts):
  return Work(*(steps * sum(values) for values in zip(*parts)))
