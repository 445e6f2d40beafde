"""Peers that are PyTorch's own layers with an output layer: one stack reads and answers.

They take over the parameters of our models, in which one cell does both, too.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Tied(nn.Module):
  """What they share."""

  def __init__(self, units: int, outputs: int):
    super().__init__()
    self.output = nn.Linear(units, outputs)

  def stack(self, inputs: torch.Tensor) -> torch.Tensor:
    """What the output layer sees [T, B, U] of inputs [T, B, X]."""
    raise NotImplementedError

  def copy(self, cell: Mapping[str, Any]):
    """Takes over the parameters of our cell."""
    raise NotImplementedError

  def forward(self, main, aux):
    """Logits [T, B, Y] from main and aux [T, B, X]."""
    return self.output(self.stack(torch.cat([main, aux]))[len(main):])

  @torch.no_grad()
  def take(self, params: Mapping[str, Any], task: str):
    """Copies the parameters of one of our models."""
    self.copy(params['encoder'])
    _copy(self.output, params['solvers'][task]['output'])


class Lstm(Tied):
  """`torch.nn.LSTM`; of its two biases one becomes 0."""

  def __init__(self, inputs=10, units=512, layers=3, outputs=8):
    super().__init__(units, outputs)
    self.lstm = nn.LSTM(inputs, units, layers)

  def stack(self, inputs):
    return self.lstm(inputs)[0]

  def copy(self, cell):
    for layer in range(self.lstm.num_layers):
      below, before = (cell[f'layer_{layer}_{part}'] for part in ('below', 'before'))
      getattr(self.lstm, f'weight_ih_l{layer}').copy_(_gates(below['kernel']))
      getattr(self.lstm, f'weight_hh_l{layer}').copy_(_gates(before['kernel']))
      getattr(self.lstm, f'bias_ih_l{layer}').copy_(_gates(below['bias']))
      getattr(self.lstm, f'bias_hh_l{layer}').zero_()


class Gru(Tied):
  """`torch.nn.GRU`; of its second bias we have the candidate's part, the rest becomes 0."""

  def __init__(self, inputs=10, units=20, outputs=8):
    super().__init__(units, outputs)
    self.gru = nn.GRU(inputs, units)

  def stack(self, inputs):
    return self.gru(inputs)[0]

  def copy(self, cell):
    layers = cell['gru']
    joined = lambda names, part: torch.cat([_tensor(layers[name][part]).t() for name in names])
    below, before = ('ir', 'iz', 'in'), ('hr', 'hz', 'hn')
    self.gru.weight_ih_l0.copy_(joined(below, 'kernel'))
    self.gru.weight_hh_l0.copy_(joined(before, 'kernel'))
    self.gru.bias_ih_l0.copy_(joined(below, 'bias'))
    self.gru.bias_hh_l0.zero_()
    self.gru.bias_hh_l0[-self.gru.hidden_size:] = _tensor(layers['hn']['bias'])


class Transformer(Tied):
  """`torch.nn.MultiheadAttention`, which sees all tokens so far and is told no positions."""

  def __init__(self, inputs=10, units=12, layers=2, heads=2, inner=14, outputs=8):
    super().__init__(units, outputs)
    self.input = nn.Linear(inputs, units)
    self.blocks = nn.ModuleList(Block(units, heads, inner) for _ in range(layers))

  def stack(self, inputs):
    ahead = nn.Transformer.generate_square_subsequent_mask(len(inputs))
    stream = self.input(inputs)
    for block in self.blocks:
      stream = block(stream, ahead)
    return stream

  def copy(self, cell):
    _copy(self.input, cell['input'])
    for layer, block in enumerate(self.blocks):
      block.copy(cell, layer)


class Block(nn.Module):
  """Attention, then a network, each behind a norm."""

  def __init__(self, units, heads, inner):
    super().__init__()
    # As Flax: nothing but this is added under the root.
    self.first_norm, self.second_norm = (nn.RMSNorm(units, eps=1e-6) for _ in range(2))
    self.attention = nn.MultiheadAttention(units, heads, bias=False)
    self.inner, self.outer = nn.Linear(units, inner), nn.Linear(inner, units)

  def forward(self, stream, ahead):
    """The stream [T, B, U] behind it; `ahead` [T, T] is what no token may see."""
    z = self.first_norm(stream)
    found, _ = self.attention(z, z, z, attn_mask=ahead, is_causal=True, need_weights=False)
    stream = stream + found
    return stream + self.outer(F.gelu(self.inner(self.second_norm(stream)), approximate='tanh'))

  def copy(self, cell, layer):
    part = lambda name: cell[f'block_{layer}_{name}']
    self.first_norm.weight.copy_(_tensor(cell[f'norm_{layer}']['scale']))
    self.attention.in_proj_weight.copy_(_tensor(part('words')['kernel']).t())
    self.attention.out_proj.weight.copy_(_tensor(part('out')['kernel']).t())
    self.second_norm.weight.copy_(_tensor(part('norm')['scale']))
    _copy(self.inner, part('units'))
    _copy(self.outer, part('network'))


def _copy(layer: nn.Linear, dense):
  layer.weight.copy_(_tensor(dense['kernel']).t())
  layer.bias.copy_(_tensor(dense['bias']))


def _tensor(array):
  return torch.from_numpy(np.array(array))


def _gates(array):
  """Our gates (i, f, o, g) as [4 H, ...] in PyTorch's order (i, f, g, o)."""
  keep_in, forget, show, candidate = np.split(np.array(array).T, 4)
  return torch.from_numpy(np.concatenate([keep_in, forget, candidate, show]))
