"""The Neural Turing Machine in eager PyTorch: the peer of `cells/ntm.py`, one head of each kind.

Batched; the inputs of all steps are projected at once, the outputs likewise; both heads address the
memory [B, W, N] in the same operations. Attention is [B, 2, N], the read head first.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from . import torch_maes

_SHORTEST = 1e-3  # Shorter words and keys count as this long.
_HEADS = 2
_INITIAL = 1e-6


class Ntm(nn.Module):
  """The tied model: one cell reads the main sequence and answers the auxiliary one."""

  def __init__(self, addresses: int, inputs=10, width=10, units=20, shift_range=1, outputs=8):
    super().__init__()
    self.addresses, self.units, self.width = addresses, units, width
    self.taps = 2 * shift_range + 1
    self.input = nn.Linear(inputs, units)
    self.recurrent = nn.Linear(units + width, units, bias=False)
    self.interface = nn.Linear(units, _HEADS * (width + self.taps + 3) + 2 * width)
    self.output = nn.Linear(units + width, outputs)

  def forward(self, main, aux):
    """Logits [T, B, 8] from main and aux [T, B, 10]."""
    state, seen = self._start(main.shape[1]), []
    for projected in self.input(torch.cat([main, aux])).unbind():
      state = self._step(projected, *state)
      seen.append(state[0])
    return self.output(torch.stack(seen[len(main):]))

  def _start(self, batch):
    """What the controller sees of the last step [B, H + W], the memory, the attention."""
    seen = torch.zeros(batch, self.units + self.width)
    seen[:, self.units:] = _INITIAL
    attention = torch.zeros(batch, _HEADS, self.addresses)
    attention[:, :, 0] = 1
    return seen, torch.full((batch, self.width, self.addresses), _INITIAL), attention

  def _step(self, projected, seen, memory, attention):
    hidden = torch.sigmoid(torch.addmm(projected, seen, self.recurrent.weight.t()))
    heads, erase, add = self.interface(hidden).split(
        [self.interface.out_features - 2 * self.width, self.width, self.width], 1)
    attention = self._address(heads.view(len(heads), _HEADS, -1), memory, attention)
    # M o (1 - e w^T) + a w^T = M + (a - e o M) o w^T
    change = torch.addcmul(add[:, :, None], torch.sigmoid(erase)[:, :, None], memory, value=-1)
    memory = torch.addcmul(memory, change, attention[:, 1:])
    read = torch.bmm(memory, attention[:, 0, :, None])[:, :, 0]
    return torch.cat([hidden, read], 1), memory, attention

  def _address(self, heads, memory, attention):
    """Both heads' attention: by content, gated, shifted, sharpened."""
    key, kernel, strength, gate, gamma = heads.split([self.width, self.taps, 1, 1, 1], 2)
    cosine = torch.bmm(key, memory) * _inverse_length(key, 2) * _inverse_length(memory, 1)
    content = torch.softmax(F.softplus(strength) * cosine, 2)
    gated = torch.lerp(attention, content, torch.sigmoid(gate)).flatten(0, 1)
    shifted = torch_maes.shift(gated, torch.softmax(kernel, 2).flatten(0, 1))
    gamma = 1 + F.softplus(gamma)
    return torch_maes.sharpen(shifted, gamma.flatten(0, 1)).view_as(attention)

  @torch.no_grad()
  def take(self, params: Mapping[str, Any], task: str):
    """Copies the parameters of one of our models."""
    encoder, output = params['encoder'], params['solvers'][task]['output']
    inputs = self.input.in_features
    kernel = _tensor(encoder['hidden']['kernel'])
    self.input.weight.copy_(kernel[:, :inputs])
    self.recurrent.weight.copy_(kernel[:, inputs:])
    self.input.bias.copy_(_tensor(encoder['hidden']['bias']))
    for part, copy in (('kernel', self.interface.weight), ('bias', self.interface.bias)):
      copy.copy_(_tensor(encoder['interface'][part])[self._order()])
    self.output.weight.copy_(_tensor(output['kernel']))
    self.output.bias.copy_(_tensor(output['bias']))

  def _order(self):
    """Rows of our interface in the order used here: the taps the other way round."""
    rows = np.arange(self.interface.out_features)
    size = self.width + self.taps + 3
    for first in (self.width, size + self.width):
      rows[first:first + self.taps] = rows[first:first + self.taps][::-1].copy()
    return torch.from_numpy(rows)


def _inverse_length(vectors, axis):
  return vectors.square().sum(axis, keepdim=True).clamp_min(_SHORTEST**2).rsqrt()


def _tensor(array):
  return torch.from_numpy(np.array(array).T.copy())
