"""One LSTM layer in float64 loops, one unit at a time, from the textbook equations."""

import math

import numpy as np


def sigmoid(x):
  return 1 / (1 + math.exp(-x))


def layer(params, inputs):
  """W x + b, one output at a time."""
  kernel = np.asarray(params['kernel'], float)
  outputs = np.array(params.get('bias', np.zeros(kernel.shape[1])), float)
  for j in range(len(outputs)):
    outputs[j] += sum(inputs[i] * kernel[i, j] for i in range(len(inputs)))
  return outputs


def unit(raw, cell_tm1):
  """h_t, c_t from the four projections, in the order i, f, o, g."""
  units = len(cell_tm1)
  hidden, cell = np.zeros(units), np.zeros(units)
  for n in range(units):
    i, f, o = (sigmoid(raw[gate * units + n]) for gate in range(3))
    g = math.tanh(raw[3 * units + n])
    cell[n] = f * cell_tm1[n] + i * g
    hidden[n] = o * math.tanh(cell[n])
  return hidden, cell


def step(params, state_tm1, x_t):
  """One step of the stack; state (hidden, cell), each [layers, H]. Returns state and logits."""
  hidden_tm1, cell_tm1 = (np.asarray(part, float) for part in state_tm1)
  hidden_t, cell_t = np.zeros_like(hidden_tm1), np.zeros_like(cell_tm1)
  below = x_t
  for n in range(len(hidden_tm1)):
    raw = layer(params[f'layer_{n}_below'], below)
    raw += layer(params[f'layer_{n}_before'], hidden_tm1[n])
    hidden_t[n], cell_t[n] = unit(raw, cell_tm1[n])
    below = hidden_t[n]
  return (hidden_t, cell_t), layer(params['output'], below)
