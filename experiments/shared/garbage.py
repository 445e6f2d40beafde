"""Python's search for garbage in cycles, less often where programs are traced."""

import gc

# Objects made between two looks, and looks between those at older ones. Tracing makes objects by
# the million; at Python's own 700 and 10 looks take a tenth of a launch.
_BETWEEN_LOOKS = 100_000, 50, 100


def look_seldom():
  """For a program of one's own: what imports the library keeps its thresholds."""
  gc.set_threshold(*_BETWEEN_LOOKS)
