"""Graves et al. 2016 (DNC) in float64 loops, one equation of its methods section at a time.

Arrays are as in `maes_jax.cells.dnc`: memory [W, N], one sequence, no batch. Allocation sorts, as
printed in the paper.
"""

import math

import numpy as np

from tests.oracles import maes
from tests.oracles import ntm
from tests.oracles.lstm import layer
from tests.oracles.lstm import sigmoid
from tests.oracles.lstm import unit


def oneplus(x):
  return 1 + math.log(1 + math.exp(x))


def usage(usage_tm1, write_tm1, attention_tm1, free_gates):
  """u_t = (u_{t-1} + w^w_{t-1} - u_{t-1} o w^w_{t-1}) o psi_t, psi_t = prod_i (1 - f^i w^{r,i})."""
  used = np.zeros(len(usage_tm1))
  for n in range(len(used)):
    retention = 1.
    for gate, attention in zip(free_gates, attention_tm1, strict=True):
      retention *= 1 - gate * attention[n]
    used[n] = (usage_tm1[n] + write_tm1[n] - usage_tm1[n] * write_tm1[n]) * retention
  return used


def allocation(used):
  """a_t[phi_t[j]] = (1 - u_t[phi_t[j]]) prod_{i < j} u_t[phi_t[i]]; phi_t by ascending usage."""
  weights, product = np.zeros(len(used)), 1.
  for n in sorted(range(len(used)), key=lambda n: used[n]):
    weights[n] = (1 - used[n]) * product
    product *= used[n]
  return weights


def links(links_tm1, precedence_tm1, write_t):
  """L_t[i, j] = (1 - w[i] - w[j]) L_{t-1}[i, j] + w[i] p_{t-1}[j], L_t[i, i] = 0."""
  linked = np.zeros(links_tm1.shape)
  for i, j in np.ndindex(linked.shape):
    if i != j:
      linked[i, j] = (1 - write_t[i] - write_t[j]) * links_tm1[i, j]
      linked[i, j] += write_t[i] * precedence_tm1[j]
  return linked


def read_attention(memory, linked, attention_tm1, key, strength, modes):
  """w^r_t = pi[1] b_t + pi[2] c_t + pi[3] f_t, with b_t = L_t^T w^r_{t-1}, f_t = L_t w^r_{t-1}."""
  content, attention = ntm.content_weights(memory, key, strength), np.zeros(len(linked))
  for n in range(len(linked)):
    backward = sum(linked[m, n] * attention_tm1[m] for m in range(len(linked)))
    forward = sum(linked[n, m] * attention_tm1[m] for m in range(len(linked)))
    attention[n] = modes[0] * backward + modes[1] * content[n] + modes[2] * forward
  return attention


def access(raw, state_tm1):
  """From xi_t and the memory's state: what the heads do to it. Returns the memory's next state."""
  memory_tm1, usage_tm1, precedence_tm1, links_tm1, write_tm1, attention_tm1, _ = state_tm1
  (width, addresses), reads = memory_tm1.shape, len(attention_tm1)
  values = iter(raw)
  take = lambda count: np.array([next(values) for _ in range(count)])
  read_keys = [take(width) for _ in range(reads)]
  read_strengths = [oneplus(b) for b in take(reads)]
  write_key, write_strength = take(width), oneplus(next(values))
  erase, add = np.array([sigmoid(e) for e in take(width)]), take(width)
  free_gates = [sigmoid(f) for f in take(reads)]
  allocation_gate, write_gate = sigmoid(next(values)), sigmoid(next(values))
  modes = [[math.exp(m) for m in take(3)] for _ in range(reads)]

  used = usage(usage_tm1, write_tm1, attention_tm1, free_gates)
  allocated = allocation(used)
  content = ntm.content_weights(memory_tm1, write_key, write_strength)
  write = np.zeros(addresses)
  for n in range(addresses):
    blend = allocation_gate * allocated[n] + (1 - allocation_gate) * content[n]
    write[n] = write_gate * blend
  memory = maes.erase_and_add(memory_tm1, write, erase, add)
  linked = links(links_tm1, precedence_tm1, write)
  precedence = (1 - sum(write)) * precedence_tm1 + write
  attention = np.array([
      read_attention(memory, linked, attention_tm1[h], read_keys[h], read_strengths[h],
                     np.divide(modes[h], sum(modes[h]))) for h in range(reads)])
  words = np.array([maes.read(memory, attention[h]) for h in range(reads)])
  return memory, used, precedence, linked, write, attention, words


def step(params, state_tm1, x_t):
  """One step; state as `maes_jax.cells.dnc.State`. Returns state and logits."""
  hidden_tm1, cell_tm1, *accessed = (np.asarray(part, float) for part in state_tm1)
  z_t = [*x_t, *hidden_tm1, *accessed[-1].ravel()]
  hidden_t, cell_t = unit(layer(params['controller'], z_t), cell_tm1)
  accessed_t = access(layer(params['interface'], hidden_t), accessed)
  logits = layer(params['output'], [*hidden_t, *accessed_t[-1].ravel()])
  return (hidden_t, cell_t, *accessed_t), logits
