"""Where a program's time goes, by operation, from a profile of one run."""

import collections
from collections.abc import Callable, Iterable
import pathlib
import tempfile
from typing import Any

import jax

# What an operation of a compiled program is, by what its name contains; the first that fits.
KINDS = {
    'library calls': ('ynn', 'onednn'),
    'matrix products': ('dot', 'gemm', 'convolution'),
    'loops compiled as one function': ('call',),
    'dispatch, loops and waiting': ('ThunkExecutor', 'while', 'conditional'),
    'element-wise operations and reductions': ('fusion', 'reduce', 'wrapped'),
}
# A fusion is named after the operations in it. If they are of these alone, it only moves data.
MOVES = {'bitcast', 'broadcast', 'concatenate', 'copy', 'dynamic-slice', 'dynamic-update-slice',
         'gather', 'pad', 'scatter', 'slice', 'transpose'}
COPIES = 'copies, gathers and scatters'
OTHER = 'other'
# A mark at the end of another event; a thread that waits for those that work.
_NO_WORK = ('end: ', 'ThunkExecutor::Execute (wait')


def shares(run: Callable[[], Any], top: int = 8) -> dict[str, dict[str, float]]:
  """Profiles one call of a compiled program.

  Profiling slows a program of many small operations down: the shares tell, not the seconds.

  Returns:
    `kinds`, the share of the time by kind of operation, and `operations`, that of the `top` single
    ones; time inside an operation that it calls counts for that one alone.
  """
  times = self_times(run)
  total = sum(times.values()) or 1
  kinds: collections.Counter = collections.Counter()
  for name, time in times.items():
    kinds[kind(name)] += time
  return {'kinds': {name: time / total for name, time in kinds.most_common()},
          'operations': {name: time / total for name, time in times.most_common(top)}}


def kind(name: str) -> str:
  """Which of `KINDS` an operation is."""
  if set(name.partition('.')[0].split('_')) - {'fusion', 'wrapped'} <= MOVES:
    return COPIES
  return next((kind for kind, words in KINDS.items() if any(word in name for word in words)), OTHER)


def self_times(run: Callable[[], Any]) -> collections.Counter:
  """Nanoseconds by operation, on all of the program's threads together."""
  times: Any = collections.Counter()
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      run()
    for file in pathlib.Path(folder).rglob('*.xplane.pb'):
      for line in _lines(jax.profiler.ProfileData.from_file(str(file))):
        times += exclusive((event.name, event.start_ns, event.duration_ns)
                           for event in line.events if not event.name.startswith(_NO_WORK))
  return times


def exclusive(events: Iterable[tuple[str, float, float]]) -> collections.Counter:
  """Time by name of nested (name, start, duration), less the time of the events inside."""
  times: Any = collections.Counter()
  open_events: list[tuple[str, float]] = []
  for name, start, duration in sorted(events, key=lambda event: (event[1], -event[2])):
    while open_events and start >= open_events[-1][1]:
      open_events.pop()
    if open_events:
      times[open_events[-1][0]] -= duration
    times[name] += duration
    open_events.append((name, start + duration))
  return times


def _lines(data):
  """The threads that run compiled programs."""
  for plane in data.planes:
    yield from (line for line in plane.lines if line.name.startswith('tf_XLA'))
