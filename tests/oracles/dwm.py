"""The DWM (Jayram et al. 2018, arXiv:1809.11087) in float64 loops, one equation at a time.

Arrays are as in `maes_jax.cells.dwm`: memory [W, N], attention and bookmark [N], one sequence.
"""

import math

import numpy as np

from tests.oracles import maes
from tests.oracles.lstm import layer
from tests.oracles.lstm import sigmoid
from tests.oracles.ntm import softplus


def softmax(numbers):
  total = sum(math.exp(number) for number in numbers)
  return np.array([math.exp(number) / total for number in numbers])


def move(raw, attention):
  """s = softmax(softplus(.)), gamma = 1 + softplus(.); shifts, then sharpens."""
  kernel = softmax([softplus(number) for number in raw[:-1]])
  return maes.sharpen(maes.shift(attention, kernel), 1 + softplus(raw[-1]))


def attend(jump, keep, raw_move, attention, bookmark):
  """The bookmark follows the head or stays; the head stays, goes there or to address 0."""
  marked, jumped = np.zeros(len(attention)), np.zeros(len(attention))
  for i in range(len(attention)):
    marked[i] = (1 - keep) * attention[i] + keep * bookmark[i]
    jumped[i] = jump[0] * attention[i] + jump[1] * marked[i] + jump[2] * (i == 0)
  return move(raw_move, jumped), marked


def step(params, state_tm1, x_t):
  """One step; state (hidden, memory, attention, bookmark). Returns state and logits."""
  hidden_tm1, memory_tm1, attention_tm1, bookmark_tm1 = (np.asarray(p, float) for p in state_tm1)
  z_t = [*x_t, *hidden_tm1, *maes.read(memory_tm1, attention_tm1)]
  hidden_t = np.array([sigmoid(h) for h in layer(params['hidden'], z_t)])
  raw, width = layer(params['interface'], z_t), len(memory_tm1)
  erase = [sigmoid(e) for e in raw[width:2 * width]]
  jump, keep = softmax(raw[2 * width:2 * width + 3]), sigmoid(raw[2 * width + 3])
  memory_t = maes.erase_and_add(memory_tm1, attention_tm1, erase, raw[:width])
  attention_t, bookmark_t = attend(
      jump, keep, raw[2 * width + 4:], attention_tm1, bookmark_tm1)
  return (hidden_t, memory_t, attention_t, bookmark_t), layer(params['output'], z_t)
