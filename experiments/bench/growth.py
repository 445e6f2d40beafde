"""How the time of one training iteration grows with the number and the size of everything."""

from collections.abc import Callable, Mapping
import pathlib

import jax

from . import ours
from . import timing
import maes_jax
from maes_jax.config import WINDOW


def _all_of_length(length: int):
  """Sequences of one length, in a memory that holds the longest of the curve."""
  return ours.training(min_length=length, max_length=length, memory=400)


def _on(device_count: int):
  """Models that as many devices share."""
  return ours.training(seeds=8, device_count=device_count)


DEVICES = 'devices, 8 models'
# By axis: its values, and what is timed at each of them.
CURVES: Mapping[str, tuple[tuple[int, ...], Callable[[int], timing.Workload]]] = {
    DEVICES: ((1, 2, 4, 8), _on),
    'K, models side by side': ((1, 8, 32, 128), lambda seeds: ours.training(seeds=seeds)),
    'N, memory addresses': ((30, 120, 480), lambda addresses: ours.training(memory=addresses)),
    'T, length of the sequences': ((20, 80, 320), _all_of_length),
    'B, sequences in a batch': ((1, 8, 64), lambda batch: ours.training(batch=batch)),
}


def measure(repeats: int) -> timing.Record:
  """Seconds of an iteration of all models, as a span, by axis and value."""
  there = len(jax.devices())
  return {axis: _measure([n for n in values if axis != DEVICES or n <= there], make, repeats)
          for axis, (values, make) in CURVES.items()}


def draw(record: timing.Record, path: pathlib.Path):
  """A panel for each axis."""
  curves = {axis: [(int(value), *(1e3 * point[name] for name in ('median', 'low', 'high')))
                   for value, point in points.items()] for axis, points in record.items()}
  maes_jax.figures.growth(
      curves, 'milliseconds of one training iteration', path, shared_by=DEVICES)


def _measure(values, make, repeats):
  sides = timing.interleave({str(value): make(value) for value in values}, repeats)
  return {value: timing.span([taken / WINDOW for taken in side['seconds']])
          for value, side in sides.items()}
