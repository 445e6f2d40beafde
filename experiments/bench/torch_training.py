"""What the PyTorch peers share: data, a training iteration, as many threads as suit them best.

They are on the card where we are on one: PyTorch makes all its arrays there.
"""

from collections.abc import Callable
import os

import jax
import torch
from torch import nn
from torch.nn import functional as F

from . import timing

DEVICE = 'cpu' if jax.default_backend() == 'cpu' else 'cuda'
CLIP = 10.
LEARNING_RATE = 0.01

torch.set_default_device(DEVICE)


def draw(batch: int, length: int, generator: torch.Generator | None = None):
  """Serial Recall: main and aux [T, B, 10] and the targets [T - 1, B, 8], T = length + 1."""
  items = torch.randint(0, 2, (length, batch, 8), generator=generator, dtype=torch.float32)
  main, aux = torch.zeros(2, length + 1, batch, 10)
  main[0, :, 0] = aux[0, :, 1] = 1
  main[1:, :, 2:] = items
  return main, aux, items


def loss(model: nn.Module, main, aux, targets) -> torch.Tensor:
  """Mean cross-entropy of the answers; the marker's, the first, does not count."""
  return F.binary_cross_entropy_with_logits(model(main, aux)[1:], targets)


def lengths(iterations: int) -> list[int]:
  """From 3 to 20, spread evenly: every run has as much work as the average of random ones."""
  return [round(3 + 17 * (i + 0.5) / iterations) for i in range(iterations)]


def training(model: nn.Module, iterations: int, batch: int = 1) -> timing.Workload:
  """Trains on sequences of one length a batch: that spares it the masks and the padding."""
  parameters = list(model.parameters())
  adam = torch.optim.Adam(parameters, LEARNING_RATE, fused=True)

  def iterate(length):
    value = loss(model, *draw(batch, length))
    adam.zero_grad()
    value.backward()
    nn.utils.clip_grad_value_(parameters, CLIP)
    adam.step()
    return value.item()

  return with_best_threads(
      lambda: sum(map(iterate, lengths(iterations))) / iterations, iterations)


def replayed_training(model: nn.Module, iterations: int, batch: int = 1) -> timing.Workload:
  """The same, each iteration launched as a whole: one CUDA graph for each length."""
  parameters = list(model.parameters())
  adam = torch.optim.Adam(parameters, LEARNING_RATE, fused=True, capturable=True)

  def iterate(sequences):
    adam.zero_grad()
    value = loss(model, *sequences)
    value.backward()
    nn.utils.clip_grad_value_(parameters, CLIP)
    adam.step()
    return value.detach()

  graphs = {length: _captured(iterate, draw(batch, length)) for length in lengths(iterations)}

  def run():
    total = torch.zeros(())
    for length in lengths(iterations):
      sequences, graph, value = graphs[length]
      for before, now in zip(sequences, draw(batch, length)):
        before.copy_(now)
      graph.replay()
      total += value
    return total.item() / iterations
  return timing.Workload(run, iterations)


def _captured(iterate, sequences):
  """The sequences that a graph reads, the graph, and the loss that it leaves."""
  aside = torch.cuda.Stream()
  aside.wait_stream(torch.cuda.current_stream())
  with torch.cuda.stream(aside):  # What is made the first time must not be part of the graph.
    for _ in range(3):
      iterate(sequences)
  torch.cuda.current_stream().wait_stream(aside)
  graph = torch.cuda.CUDAGraph()
  # JAX's threads may ask the card for memory meanwhile.
  with torch.cuda.graph(graph, capture_error_mode='relaxed'):
    value = iterate(sequences)
  return sequences, graph, value


def testing(model: nn.Module, batch: int, length: int) -> timing.Workload:
  """One batch of sequences through the model, without gradients."""
  main, aux, _ = draw(batch, length)

  def run():
    with torch.no_grad():
      model(main, aux).cpu()  # Waits for it.
  return with_best_threads(run, batch)


def with_best_threads(run: Callable[[], float | None], units: int) -> timing.Workload:
  """The workload, on one core or on all: whichever is faster after the first run."""
  chosen = [1]

  def run_on(threads):
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    return run()

  def choose():
    chosen[0] = min((1, os.cpu_count()), key=lambda n: timing.seconds(lambda: run_on(n))[0])

  return timing.Workload(lambda: run_on(chosen[0]), units, choose)
