"""What training one model costs, alone and as one of many side by side."""

import itertools

from experiments.bench import ours
from experiments.bench import timing

POPULATIONS = (1, 8, 32, 128)
_TURNS = 9  # At least: what the larger populations differ by is less than a turn's noise.


def measure(repeats: int) -> timing.Record:
  """By how much the cost per model falls from one population to the next, and in all, as spans.

  The populations take turns and do the same number of iterations times models in each, so that a
  machine whose speed drifts does not favour any of them.
  """
  sides = timing.interleave({str(seeds): _training(seeds) for seeds in POPULATIONS},
                            max(repeats, _TURNS))
  pairs = [*itertools.pairwise(POPULATIONS), (POPULATIONS[0], POPULATIONS[-1])]
  return {f'{few} to {many}': timing.ratio(sides[str(many)], sides[str(few)])
          for few, many in pairs}


def _training(seeds):
  """As many windows as bring every population to the same number of units."""
  window = ours.training(seeds=seeds)
  windows = POPULATIONS[-1] // seeds
  return timing.Workload(lambda: [window.run() for _ in range(windows)][-1], windows * window.units)
