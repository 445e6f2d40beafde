"""The cell of github.com/tsjayram/maes in float64 loops, from what that code computes.

State (hidden [H], memory [W, N], read attention [N], write attention [N]), one sequence.
"""

import numpy as np

from tests.oracles import maes
from tests.oracles.dwm import move
from tests.oracles.lstm import layer
from tests.oracles.lstm import sigmoid


def step(params, state_tm1, x_t):
  """Writes at the old head, moves both heads by h_{t-1}, reads at the new one, then answers."""
  hidden_tm1, memory_tm1, read_tm1, write_tm1 = (np.asarray(part, float) for part in state_tm1)
  width = len(memory_tm1)
  words = layer(params['words'], [*x_t, *hidden_tm1])
  erase, add = [sigmoid(e) for e in words[:width]], words[width:]
  memory_t = maes.erase_and_add(memory_tm1, write_tm1, erase, add)
  moves = layer(params['moves'], hidden_tm1)
  half = len(moves) // 2
  read_t, write_t = move(moves[:half], read_tm1), move(moves[half:], write_tm1)
  z_t = [*x_t, *hidden_tm1, *maes.read(memory_t, read_t)]
  hidden_t = layer(params['hidden'], z_t)
  if 'output_hidden' in params:
    z_t = [max(z, 0) for z in layer(params['output_hidden'], z_t)]
  return (hidden_t, memory_t, read_t, write_t), layer(params['output'], z_t)
