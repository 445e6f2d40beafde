"""What training one model costs, alone and as one of many side by side."""

import itertools

from . import ours
from . import timing

POPULATIONS = (1, 8, 32, 128)
_TURNS = 9  # At least: what the larger populations differ by is less than a turn's noise.


def measure(repeats: int) -> timing.Record:
  """By how much the cost per model falls from one population to the next, and in all, as spans."""
  sides = timing.interleave({str(seeds): ours.training(seeds=seeds) for seeds in POPULATIONS},
                            max(repeats, _TURNS))
  pairs = [*itertools.pairwise(POPULATIONS), (POPULATIONS[0], POPULATIONS[-1])]
  return {f'{few} to {many}': timing.ratio(sides[str(many)], sides[str(few)])
          for few, many in pairs}
