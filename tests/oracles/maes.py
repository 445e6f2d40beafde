"""Algorithm 1 of the paper in float64 loops, one equation at a time.

Arrays are as in `maes_jax.memory`: memory [W, N], attention [N], one sequence, no batch.
"""

import numpy as np


def read(memory, attention):
  """Line 1: r_t(m) = sum_n M_{t-1}(m, n) w_{t-1}(n)."""
  words, addresses = memory.shape
  word = np.zeros(words)
  for m in range(words):
    for n in range(addresses):
      word[m] += memory[m, n] * attention[n]
  return word


def erase_and_add(memory, attention, erase, add):
  """Line 3: M_t(m, n) = M_{t-1}(m, n) (1 - e_t(m) w(n)) + a_t(m) w(n)."""
  written = np.zeros(memory.shape)
  for m, n in np.ndindex(memory.shape):
    written[m, n] = memory[m, n] * (1 - erase[m] * attention[n]) + add[m] * attention[n]
  return written


def shift(attention, kernel):
  """Line 4, conv: carries the weight of each address to where every tap sends it."""
  addresses, k = len(attention), len(kernel) // 2
  moved = np.zeros(addresses)
  for start in range(addresses):
    for tap in range(len(kernel)):
      moved[(start + tap - k) % addresses] += kernel[tap] * attention[start]
  return moved


def sharpen(attention, gamma):
  """Line 4, sharpen: w^gamma / sum w^gamma, of w relative to its largest so that none vanish."""
  largest = max(attention)
  powers = np.array([(weight / largest)**gamma for weight in attention])
  return powers / sum(powers)


def by_shift(raw, memory, attention):
  """Line 4: w_t = sharpen(conv(w_{t-1}, s_t), gamma_t), from the head's part of the interface."""
  del memory
  kernel = np.exp(raw[:-1] - max(raw[:-1]))
  return sharpen(shift(attention, kernel / sum(kernel)), 1 + np.logaddexp(0, raw[-1]))


def step(params, state_tm1, x_t, *, line3='write_first', add_activation='sigmoid',
         address=by_shift):
  """One step; params by layer, state (hidden, memory, attention). Returns state and logits."""
  hidden_tm1, memory_tm1, attention_tm1 = state_tm1
  r_t = read(memory_tm1, attention_tm1)
  z_t = np.concatenate([x_t, hidden_tm1, r_t])
  hidden_t = _sigmoid(_layer(params['hidden'], z_t))
  add, erase, head = _interface(_layer(params['interface'], z_t), len(r_t))
  if add_activation == 'sigmoid':
    add = _sigmoid(add)
  attention_t = address(head, memory_tm1, attention_tm1)
  write = {'write_first': attention_tm1, 'move_first': attention_t}[line3]
  memory_t = erase_and_add(memory_tm1, write, erase, add)
  return (hidden_t, memory_t, attention_t), _output(params, z_t)


def run(encoder, solver, main, aux, *, addresses, keep_attention=False, **options):
  """Encodes `main`, hands the memory over, solves `aux`: logits [T, Y]."""
  units, width = len(encoder['hidden']['bias']), _width(encoder)
  start = np.eye(addresses)[0]
  state = (np.zeros(units), np.zeros((width, addresses)), start)
  for x_t in main:
    state, _ = step(encoder, state, x_t, **options)
  _, memory, attention = state
  state = (np.zeros(units), memory, attention if keep_attention else start)
  logits = []
  for x_t in aux:
    state, y_t = step(solver, state, x_t, **options)
    logits.append(y_t)
  return np.array(logits)


def _interface(raw, width):
  """P_t = (a_t, e_t, the head's part); a_t is still without its activation."""
  return raw[:width], _sigmoid(raw[width:2 * width]), raw[2 * width:]


def _output(params, z_t):
  if 'output' not in params:
    return None
  if 'output_hidden' in params:
    z_t = np.maximum(_layer(params['output_hidden'], z_t), 0)
  return _layer(params['output'], z_t)


def _width(encoder):
  inputs = 10  # 2 control bits and 8 data bits
  return len(encoder['hidden']['kernel']) - inputs - len(encoder['hidden']['bias'])


def _layer(layer, inputs):
  return inputs @ layer['kernel'] + layer['bias']


def _sigmoid(x):
  return np.exp(-np.logaddexp(0, -x))  # 1 / (1 + e^-x) without overflow
