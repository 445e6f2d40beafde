"""GRU, LRU, mLSTM, Gated DeltaNet and Mamba-2 in float64 loops, from their papers' equations.

A block is a function (params, name, state, z [D], sizes) -> (state, what it adds [D]).
"""

import cmath
import math

import numpy as np

from tests.oracles.lstm import layer
from tests.oracles.lstm import sigmoid
from tests.oracles.ntm import softplus


def gru(params, state_tm1, x_t):
  """r, z = sigma(.), n = tanh(W x + b + r (U h + c)), h = (1 - z) n + z h; state (hidden,)."""
  (hidden_tm1,) = (np.asarray(part, float) for part in state_tm1)
  reset_x, keep_x, new_x = (layer(params['gru'][f'i{part}'], x_t) for part in 'rzn')
  reset_h, keep_h, new_h = (layer(params['gru'][f'h{part}'], hidden_tm1) for part in 'rzn')
  hidden_t = np.zeros(len(hidden_tm1))
  for n in range(len(hidden_tm1)):
    keep = sigmoid(keep_x[n] + keep_h[n])
    new = math.tanh(new_x[n] + sigmoid(reset_x[n] + reset_h[n]) * new_h[n])
    hidden_t[n] = (1 - keep) * new + keep * hidden_tm1[n]
  return (hidden_t,), layer(params['output'], hidden_t)


def step(params, blocks_tm1, x_t, block, sizes):
  """u <- u + block(norm(u)), one block after the other. Returns u, their states and logits."""
  stream, blocks_t = layer(params['input'], x_t), []
  for n, state_tm1 in enumerate(blocks_tm1):
    z_t = rms_norm(params[f'norm_{n}'], stream)
    state_t, added = block(params, f'block_{n}', state_tm1, z_t, sizes)
    stream = stream + added
    blocks_t.append(state_t)
  return stream, blocks_t, layer(params['output'], stream)


def rms_norm(params, x):
  size = math.sqrt(sum(number**2 for number in x) / len(x) + 1e-6)
  return np.array([number / size * scale for number, scale in zip(x, params['scale'], strict=True)])


def silu(x):
  return x * sigmoid(x)


def lru(params, name, state_tm1, z_t, sizes):
  """x_k = Lambda x_{k-1} + exp(gamma) B u_k;  y_k = Re(C x_k) + D u_k;  then GELU and GLU."""
  (states,), get = sizes, lambda part: np.asarray(params[f'{name}_{part}'], float)
  b, c = (np.asarray(params[f'{name}_{part}']['kernel'], float) for part in 'bc')
  x = np.zeros(states, complex)
  for n in range(states):
    pole = cmath.exp(-math.exp(get('nu')[n]) + 1j * math.exp(get('theta')[n]))
    driven = sum(complex(b[d, n], b[d, states + n]) * z_t[d] for d in range(len(z_t)))
    x[n] = pole * complex(*state_tm1[:, n]) + math.exp(get('gamma')[n]) * driven
  y = np.array([
      sum((complex(c[n, d], -c[states + n, d]) * x[n]).real for n in range(states)) +
      get('d')[d] * z_t[d] for d in range(len(z_t))])
  gelu = [.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) for v in y]
  glu = layer(params[f'{name}_glu'], gelu)
  added = [glu[d] * sigmoid(glu[len(y) + d]) for d in range(len(y))]
  return np.array([x.real, x.imag]), np.array(added)


def mlstm(params, name, state_tm1, z_t, sizes):
  """Equations 19 to 27 as they stand, without a stabilizer: C = f C + i v k^T, n = f n + i k."""
  (cells, normalizers), (heads, size) = state_tm1, sizes
  raw, inner = layer(params[f'{name}_interface'], z_t), heads * size
  query, key, value, shown = np.reshape(raw[:4 * inner], (4, heads, size))
  cells, normalizers, found = np.array(cells), np.array(normalizers), np.zeros((heads, size))
  for h in range(heads):
    take_in, keep = math.exp(raw[4 * inner + h]), sigmoid(raw[4 * inner + heads + h])
    for k in range(size):
      part = key[h, k] / math.sqrt(size)
      normalizers[h, k] = keep * normalizers[h, k] + take_in * part
      for v in range(size):
        cells[h, v, k] = keep * cells[h, v, k] + take_in * value[h, v] * part
    scale = max(abs(sum(normalizers[h, k] * query[h, k] for k in range(size))), 1)
    for v in range(size):
      content = sum(cells[h, v, k] * query[h, k] for k in range(size))
      found[h, v] = sigmoid(shown[h, v]) * content / scale
  return (cells, normalizers), layer(params[f'{name}_out'], found.ravel())


def convolved(taps, before, raw):
  """SiLU of the last inputs of each channel, the newest last, weighted by tap."""
  window = [*before, raw]
  taps = np.asarray(taps, float)
  out = [silu(sum(taps[j, c] * window[j][c] for j in range(len(window)))) for c in range(len(raw))]
  return np.array(window[1:]), np.array(out)


def decay(params, name, raw):
  """Delta = softplus(raw + bias);  exp(-exp(rate) Delta)."""
  steps = [softplus(r + b) for r, b in zip(raw, params[f'{name}_step_bias'], strict=True)]
  rates = params[f'{name}_rate']
  return steps, [math.exp(-math.exp(r) * s) for r, s in zip(rates, steps, strict=True)]


def gated_deltanet(params, name, state_tm1, z_t, sizes):
  """S_t = S_{t-1} (alpha (I - beta k k^T)) + beta v k^T, as a product of matrices; o = S q."""
  (before, states), (heads, size) = state_tm1, sizes
  part = lambda name_: layer(params[f'{name}_{name_}'], z_t)
  before, words = convolved(params[f'{name}_taps'], before, part('words'))
  query, key, value = np.reshape(words, (3, heads, size))
  _, keep = decay(params, name, part('keep'))
  after, shown = np.zeros(states.shape), []
  for h in range(heads):
    q, k = (x[h] / math.sqrt(sum(number**2 for number in x[h]) + 1e-6) for x in (query, key))
    beta = 2 * sigmoid(part('write')[h])
    transition = keep[h] * (np.eye(size) - beta * np.outer(k, k))
    after[h] = states[h] @ transition + beta * np.outer(value[h], k)
    shown.extend(rms_norm(params[f'{name}_norm'], after[h] @ q))
  gated = [number * silu(gate) for number, gate in zip(shown, part('gate'), strict=True)]
  return (before, after), layer(params[f'{name}_out'], gated)


def mamba2(params, name, state_tm1, z_t, sizes):
  """h = exp(A Delta) h + Delta x B^T;  y = h C + D x;  W norm(y SiLU(gate))."""
  (before, states), (heads, width, size) = state_tm1, sizes
  raw, inner = layer(params[f'{name}_in'], z_t), heads * width
  gate, words, steps = np.split(raw, [inner, 2 * inner + 2 * size])
  before, words = convolved(params[f'{name}_taps'], before, words)
  x, b, c = words[:inner].reshape(heads, width), words[inner:-size], words[-size:]
  steps, keep = decay(params, name, steps)
  after, y = np.zeros(states.shape), np.zeros((heads, width))
  for h, p in np.ndindex(heads, width):
    for n in range(size):
      after[h, p, n] = keep[h] * states[h, p, n] + steps[h] * x[h, p] * b[n]
    y[h, p] = sum(after[h, p, n] * c[n] for n in range(size)) + params[f'{name}_d'][h] * x[h, p]
  gated = [number * silu(g) for number, g in zip(y.ravel(), gate, strict=True)]
  return (before, after), layer(params[f'{name}_out'], rms_norm(params[f'{name}_norm'], gated))
