"""Graves et al. 2014 (NTM) in float64 loops, one equation at a time.

Arrays are as in `maes_jax.cells.ntm`: memory [W, N], one sequence, no batch.
"""

import math

import numpy as np

from tests.oracles import maes
from tests.oracles.lstm import layer
from tests.oracles.lstm import sigmoid


def cosine(u, v):
  """Equation 6: K[u, v] = u . v / (|u| |v|)."""
  dot = sum(a * b for a, b in zip(u, v, strict=True))
  return dot / (math.sqrt(sum(a * a for a in u)) * math.sqrt(sum(b * b for b in v)))


def content_weights(memory, key, strength):
  """Equation 5: w^c(i) = exp(beta K[k, M(i)]) / sum_j exp(beta K[k, M(j)])."""
  powers = [math.exp(strength * cosine(key, memory[:, i])) for i in range(memory.shape[1])]
  return np.array([power / sum(powers) for power in powers])


def address(raw, memory, attention, taps):
  """Equations 5 to 9: where one head looks, from its part of the interface."""
  width, addresses = memory.shape
  strength, gate = softplus(raw[width + taps]), sigmoid(raw[width + taps + 1])
  gamma = 1 + softplus(raw[width + taps + 2])
  total = sum(math.exp(s) for s in raw[width:width + taps])
  kernel = np.array([math.exp(s) / total for s in raw[width:width + taps]])
  content = content_weights(memory, raw[:width], strength)
  gated = np.zeros(addresses)
  for i in range(addresses):
    gated[i] = gate * content[i] + (1 - gate) * attention[i]
  return maes.sharpen(maes.shift(gated, kernel), gamma)


def write(memory, attention, erase, add):
  """Equations 3 and 4: all heads erase, then all add."""
  written = np.array(memory)
  for h, m, i in np.ndindex(len(attention), *memory.shape):
    written[m, i] *= 1 - attention[h][i] * erase[h][m]
  for h, m, i in np.ndindex(len(attention), *memory.shape):
    written[m, i] += attention[h][i] * add[h][m]
  return written


def step(params, state_tm1, x_t, *, read_heads, taps):
  """One step; state (hidden, memory, attention, read). Returns state and logits."""
  hidden_tm1, memory_tm1, attention_tm1, read_tm1 = (np.asarray(p, float) for p in state_tm1)
  width, heads = len(memory_tm1), len(attention_tm1)
  z_t = [*x_t, *hidden_tm1, *read_tm1.ravel()]
  hidden_t = np.array([sigmoid(h) for h in layer(params['hidden'], z_t)])
  raw = iter(layer(params['interface'], hidden_t))
  take = lambda count: np.array([next(raw) for _ in range(count)])
  attention_t = np.array([
      address(take(width + taps + 3), memory_tm1, attention_tm1[h], taps) for h in range(heads)])
  erase = [[sigmoid(e) for e in take(width)] for _ in range(heads - read_heads)]
  add = [take(width) for _ in range(heads - read_heads)]
  memory_t = write(memory_tm1, attention_t[read_heads:], erase, add)
  # Equation 2: r_t = sum_i w_t(i) M_t(i)
  read_t = np.array([maes.read(memory_t, attention_t[h]) for h in range(read_heads)])
  logits = layer(params['output'], [*hidden_t, *read_t.ravel()])
  return (hidden_t, memory_t, attention_t, read_t), logits


def softplus(x):
  return math.log(1 + math.exp(x))
