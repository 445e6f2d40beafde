"""MAES in eager PyTorch, written as well as eager PyTorch allows: the peer of `cells/maes.py`.

Batched, no loop over sequences; the inputs of all steps are projected at once; one product for all
the layers; erase and add in two fused operations. Memory is [B, W, N], attention [B, N].
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

_TINY = torch.finfo(torch.float32).tiny


class Cell(nn.Module):
  """One step of Algorithm 1; an encoder where `outputs` is 0."""

  def __init__(self, inputs=10, width=10, units=5, shift_range=1, outputs=0):
    super().__init__()
    self.units, self.width, self.outputs = units, width, outputs
    self.taps = 2 * shift_range + 1
    rows = units + 2 * width + self.taps + 1 + outputs
    self.input = nn.Linear(inputs, rows)
    self.recurrent = nn.Linear(units + width, rows, bias=False)

  def start(self, batch: int, addresses: int):
    """Empty memory, attention on address 0."""
    attention = torch.zeros(batch, addresses)
    attention[:, 0] = 1
    return torch.zeros(batch, self.units), torch.zeros(batch, self.width, addresses), attention

  def forward(self, projected, hidden, memory, attention):
    """From x_t as projected [B, rows]: the next state and the logits [B, Y]."""
    read = torch.bmm(memory, attention[:, :, None])[:, :, 0]
    raw = torch.addmm(projected, torch.cat([hidden, read], 1), self.recurrent.weight.t())
    gates, kernel, gamma, logits = raw.split(
        [self.units + 2 * self.width, self.taps, 1, self.outputs], 1)
    hidden, add, erase = torch.sigmoid(gates).split([self.units, self.width, self.width], 1)
    # M o (1 - e w^T) + a w^T = M + (a - e o M) o w^T
    change = torch.addcmul(add[:, :, None], erase[:, :, None], memory, value=-1)
    memory = torch.addcmul(memory, change, attention[:, None])
    attention = sharpen(shift(attention, torch.softmax(kernel, 1)), 1 + F.softplus(gamma))
    return hidden, memory, attention, logits


def shift(attention, kernel):
  """Circular convolution: tap j takes the weight from j - k addresses further on."""
  k = kernel.shape[1] // 2
  wrapped = torch.cat([attention[:, -k:], attention, attention[:, :k]], 1)
  return torch.bmm(wrapped.unfold(1, kernel.shape[1], 1), kernel[:, :, None])[:, :, 0]


def sharpen(attention, gamma):
  """w^gamma / sum w^gamma."""
  return torch.softmax(gamma * torch.log(attention.clamp_min(_TINY)), 1)


class Maes(nn.Module):
  """Encoder and solver of a recall task; `step` replaces the cells' eager step, e.g. compiled."""

  def __init__(self, addresses: int, step=lambda cell: cell):
    super().__init__()
    self.addresses = addresses
    self.encoder, self.solver = Cell(), Cell(outputs=8)
    self._steps = step(self.encoder), step(self.solver)

  def forward(self, main, aux):
    """Logits [T, B, 8] from main and aux [T, B, 10]."""
    state = self.encoder.start(main.shape[1], self.addresses)
    for projected in self.encoder.input(main).unbind():
      *state, _ = self._steps[0](projected, *state)
    hidden, _, attention = self.solver.start(main.shape[1], self.addresses)
    state, logits = (hidden, state[1], attention), []
    for projected in self.solver.input(aux).unbind():
      *state, logits_t = self._steps[1](projected, *state)
      logits.append(logits_t)
    return torch.stack(logits)

  @torch.no_grad()
  def take(self, params: Mapping[str, Any], task: str):
    """Copies the parameters of one of our models."""
    _take(self.encoder, params['encoder'])
    _take(self.solver, params['solvers'][task])


def _take(cell, layers):
  kernel, bias = (_fused(cell, layers, part) for part in ('kernel', 'bias'))
  inputs = cell.input.in_features
  cell.input.weight.copy_(kernel[:, :inputs])
  cell.recurrent.weight.copy_(kernel[:, inputs:])
  cell.input.bias.copy_(bias)


def _fused(cell, layers, part):
  """Our layers on top of each other as [rows, ...], the taps the other way round."""
  raw = np.split(np.asarray(layers['interface'][part]).T,
                 [2 * cell.width, 2 * cell.width + cell.taps])
  parts = [np.asarray(layers['hidden'][part]).T, raw[0], raw[1][::-1], raw[2]]
  if cell.outputs:
    parts.append(np.asarray(layers['output'][part]).T)
  return torch.from_numpy(np.concatenate(parts))
