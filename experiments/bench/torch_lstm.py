"""`torch.nn.LSTM` with an output layer: the peer of `cells/lstm.py`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn


class Lstm(nn.Module):
  """The tied model: one stack of layers reads the main sequence and answers the auxiliary one."""

  def __init__(self, inputs=10, units=512, layers=3, outputs=8):
    super().__init__()
    self.lstm = nn.LSTM(inputs, units, layers)
    self.output = nn.Linear(units, outputs)

  def forward(self, main, aux):
    """Logits [T, B, 8] from main and aux [T, B, 10]."""
    hidden, _ = self.lstm(torch.cat([main, aux]))
    return self.output(hidden[len(main):])

  @torch.no_grad()
  def take(self, params: Mapping[str, Any], task: str):
    """Copies the parameters of one of our models; of PyTorch's two biases one becomes 0."""
    for layer in range(self.lstm.num_layers):
      below, before = (params['encoder'][f'layer_{layer}_{part}'] for part in ('below', 'before'))
      getattr(self.lstm, f'weight_ih_l{layer}').copy_(_gates(below['kernel']))
      getattr(self.lstm, f'weight_hh_l{layer}').copy_(_gates(before['kernel']))
      getattr(self.lstm, f'bias_ih_l{layer}').copy_(_gates(below['bias']))
      getattr(self.lstm, f'bias_hh_l{layer}').zero_()
    output = params['solvers'][task]['output']
    self.output.weight.copy_(torch.from_numpy(np.array(output['kernel']).T))
    self.output.bias.copy_(torch.from_numpy(np.array(output['bias'])))


def _gates(array):
  """Our gates (i, f, o, g) as [4 H, ...] in PyTorch's order (i, f, g, o)."""
  keep_in, forget, show, candidate = np.split(np.array(array).T, 4)
  return torch.from_numpy(np.concatenate([keep_in, forget, candidate, show]))
