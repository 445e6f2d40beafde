"""What is there for speed alone, with and without it: each must pay, or go.

A piece is taken out by replacing a name while a program is compiled; both programs then take turns.
"""

from collections.abc import Callable, Mapping
import contextlib
import dataclasses
import functools
from typing import Any
from unittest import mock

import jax

from . import ours
from . import timing
from maes_jax import compilation
from maes_jax import encoder_solver
from maes_jax import windowed
from maes_jax.cells import base
from maes_jax.cells import lstm
from maes_jax.training import microbatches

_SINGLE = functools.partial(ours.training, seeds=8)
_BATCH = functools.partial(ours.training, batch=64)
_LSTM = functools.partial(ours.training, 'lstm', window=20)
_NTM = functools.partial(ours.training, 'ntm', seeds=4)


@dataclasses.dataclass(frozen=True)
class Choice:
  """A piece that claims speed.

  Attributes:
    what: for the reader.
    without: what replaces names of modules and classes while a program is compiled.
    where: the workloads that it is for, by what they are.
  """
  what: str
  without: Callable[[], list[Any]]
  where: Mapping[str, Callable[..., timing.Workload]]


def _replaced(owner, name, value):
  return lambda: [mock.patch.object(owner, name, value)]


def _alternating():
  """A tied model phase by phase: a cell hands its whole state over."""
  keep = lambda cell, state: (state, None)
  take = lambda cell, handed, own, start: handed
  run = encoder_solver._Run

  def alternate(self, task, program, ring=None):
    del ring  # All addresses are there.
    start = encoder_solver.Duty(self.initial_state(task), {})
    return self.take_turns(
        task, start, [dataclasses.replace(phase, cell='solver') for phase in program])[1]
  return [mock.patch.object(base.Cell, 'hand_over', keep),
          mock.patch.object(base.Cell, 'take_over', take),
          mock.patch.object(run, 'run_tied', alternate)]


CHOICES = {
    'skip_padding': Choice(
        'Loops end with the longest sequence of a microbatch, with a derivative of our own.',
        lambda: [mock.patch.object(encoder_solver, name, encoder_solver.unroll)
                 for name in ('skipping', 'alone')],
        {'MAES': _SINGLE, 'NTM': _NTM}),
    'alone': Choice(
        'No mask where a microbatch is one sequence.',
        _replaced(encoder_solver, 'alone', encoder_solver.skipping),
        {'MAES': _SINGLE, 'NTM': _NTM,
         'DNC': functools.partial(ours.training, 'dnc', seeds=4, window=50)}),
    'one_stream': Choice('A tied model reads all phases in one loop.', _alternating,
                         {'NTM': _NTM, 'LSTM': _LSTM}),
    'layer_by_layer': Choice(
        'The LSTM runs layer by layer, with a derivative of its own.',
        _replaced(lstm.Lstm, 'layer_by_layer', None), {'LSTM': _LSTM}),
    'microbatches': Choice(
        'Sequences of a batch one by one.',
        _replaced(microbatches, 'count', lambda params, size: 1), {'MAES, batch 64': _BATCH}),
    'first_level': Choice(
        "LLVM's first level and no library reductions.",
        _replaced(compilation, 'jit', jax.jit), {'MAES': _SINGLE, 'MAES, batch 64': _BATCH}),
    'window': Choice(
        'Long tests run on a window of the memory.',
        _replaced(windowed, 'serves', lambda *unused: False), {'MAES test': ours.testing}),
}


def measure(name: str, repeats: int) -> timing.Record:
  """With and without the choice of that name: the ratio of their rates in each turn."""
  choice, found = CHOICES[name], {}
  for where, make in choice.where.items():
    sides = timing.interleave({'with': make(), 'without': _without(choice, make)}, repeats)
    found[where] = {
        'ratio': timing.ratio(sides['with'], sides['without']),
        'compile_seconds': {side: sides[side]['compile_seconds'] for side in sides}}
  return {'what': choice.what, 'where': found}


def _without(choice, make):
  """The workload, made and its program compiled without the piece."""
  with _taken_out(choice):
    workload = make()
  first = [True]

  def run():
    with _taken_out(choice) if first else contextlib.nullcontext():
      first.clear()
      return workload.run()

  return timing.Workload(run, workload.units)


@contextlib.contextmanager
def _taken_out(choice):
  with contextlib.ExitStack() as stack:
    for patch in choice.without():
      stack.enter_context(patch)
    yield
