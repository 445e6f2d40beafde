"""The peers of each row, by name; the only file that needs the extra `bench`."""

from collections.abc import Callable

import jax
import numpy as np
import torch
from torch import nn

from . import ours
from . import timing
from . import torch_layers
from . import torch_maes
from . import torch_ntm
from . import torch_training
from maes_jax import errors

CLOSE = 1e-5  # Outputs of ours and of a peer may differ by this on the same parameters.

# Peers that can take over the parameters of our model of that name, given the memory size.
MODELS: dict[str, Callable[..., nn.Module]] = {
    'maes': torch_maes.Maes,
    'ntm': torch_ntm.Ntm,
    'lstm': lambda addresses, **options: torch_layers.Lstm(**options),
    'gru': lambda addresses, **options: torch_layers.Gru(**options),
    'transformer': lambda addresses, **options: torch_layers.Transformer(**options),
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
