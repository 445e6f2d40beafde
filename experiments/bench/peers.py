"""The peers of each row, by name; the only file that needs the extra `bench`."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import torch
from torch import nn

from . import ours
from . import timing
from . import torch_maes
from . import torch_ntm
from . import torch_training
from maes_jax import errors

CLOSE = 1e-5  # Outputs of ours and of a peer may differ by this on the same parameters.

# Peers that can take over the parameters of our model of that name, given the memory size.
MODELS: dict[str, Callable[..., nn.Module]] = {
    'maes': torch_maes.Maes,
    'ntm': torch_ntm.Ntm,
    'lstm': lambda addresses, **options: Lstm(**options),
}


class Dnc(nn.Module):
  """The DNC of the package `dnc`, with our sizes and an output layer."""

  def __init__(self, addresses: int):
    super().__init__()
    import dnc  # Here: no other peer needs it.
    # Without a GPU the package's own choice of device is the CPU.
    self.dnc = dnc.DNC(10, 20, num_layers=1, num_hidden_layers=1, nr_cells=addresses,
                       cell_size=10, read_heads=1, batch_first=False)
    self.output = nn.Linear(10, 8)

  def forward(self, main, aux):
    """Logits [T, B, 8] from main and aux [T, B, 10]."""
    answers, _ = self.dnc(torch.cat([main, aux]))
    return self.output(answers[len(main):])


class Lstm(nn.Module):
  """`torch.nn.LSTM` with an output layer: one stack of layers reads and answers."""

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


def training(name: str, iterations: int, batch: int = 1) -> timing.Workload:
  """Training of the peer of that name in eager PyTorch."""
  return torch_training.training(_make(name), iterations, batch)


def compiled_training(iterations: int, batch: int = 1) -> timing.Workload:
  """MAES again, each cell's step through `torch.compile`."""
  model = torch_maes.Maes(ours.ADDRESSES, step=torch.compile)
  return torch_training.training(model, iterations, batch)


def replayed_training(name: str, iterations: int, batch: int = 1) -> timing.Workload:
  """Training of the peer of that name as CUDA graphs."""
  return torch_training.replayed_training(_make(name), iterations, batch)


def testing(addresses: int, length: int, batch: int) -> timing.Workload:
  """The long test of MAES, forward only."""
  return torch_training.testing(torch_maes.Maes(addresses), batch, length)


def check(name: str) -> float:
  """The largest difference between the outputs of our model and of its peer.

  The sequences are the same in every run: on one in two hundred an untrained model's attention is
  so undecided between two addresses that sharpening multiplies rounding to more than `CLOSE`.

  Raises:
    UserError: it is not small; then their speeds must not be compared.
  """
  model, params = ours.untrained(name)
  peer = _make(name)
  peer.take(params, ours.TASK)
  generator = torch.Generator(torch_training.DEVICE).manual_seed(0)
  main, aux, _ = torch_training.draw(2, length=20, generator=generator)
  with jax.default_matmul_precision('highest'), torch.backends.cudnn.flags(allow_tf32=False):
    mine = ours.logits(model, params, main.cpu().numpy(), aux.cpu().numpy(), ours.ADDRESSES)
    theirs = peer(main, aux).detach().cpu().numpy()
  difference = float(np.abs(mine - theirs).max())
  if not difference <= CLOSE:
    raise errors.UserError(f'outputs of {name} and of its peer differ by {difference:.1e}, '
                           f'more than {CLOSE:.0e}; mend the one that is wrong')
  return difference


def _make(name):
  return Dnc(ours.ADDRESSES) if name == 'dnc' else MODELS[name](ours.ADDRESSES)
