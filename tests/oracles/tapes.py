"""Stack-RNN and Tape-RNN (Deletang et al. 2023) in float64 loops; state (hidden, memory [W, N])."""

import numpy as np

from tests.oracles.dwm import softmax
from tests.oracles.lstm import layer


def on_stack(memory, actions, word):
  """s[0] = push v + pop s[1] + no s[0];  s[i] = push s[i - 1] + pop s[i + 1] + no s[i]."""
  push, pop, nothing = actions
  after, last = np.zeros(memory.shape), memory.shape[1] - 1
  for m, i in np.ndindex(memory.shape):
    above = word[m] if i == 0 else memory[m, i - 1]
    below = 0 if i == last else memory[m, i + 1]
    after[m, i] = push * above + pop * below + nothing * memory[m, i]
  return after


def on_tape(memory, actions, word):
  """Overwrites what is under the head, address 0, then the tape stays or turns either way."""
  stay, left, right = actions
  written, after, size = np.array(memory), np.zeros(memory.shape), memory.shape[1]
  written[:, 0] = word
  for m, i in np.ndindex(memory.shape):
    after[m, i] += stay * written[m, i]
    after[m, (i - 1) % size] += left * written[m, i]
    after[m, (i + 1) % size] += right * written[m, i]
  return after


def step(params, state_tm1, x_t, act):
  """One step; `act` is one of the above. Returns state, logits and actions."""
  hidden_tm1, memory_tm1 = (np.asarray(part, float) for part in state_tm1)
  hidden_t = np.array([
      max(h, 0) for h in layer(params['hidden'], [*x_t, *hidden_tm1, *memory_tm1[:, 0]])])
  raw = layer(params['interface'], hidden_t)
  actions = softmax(raw[:3])
  memory_t = act(memory_tm1, actions, raw[3:])
  return (hidden_t, memory_t), layer(params['output'], hidden_t), actions
