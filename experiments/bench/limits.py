"""What this machine can do at most: float32 operations and bytes per second, measured."""

from collections.abc import Callable, Iterator
import multiprocessing
import os
import time

import jax
import jax.numpy as jnp
import numpy as np

from maes_jax import compilation

SIDE = 256  # Of the matrices of the product: three of them are 0.75 MiB, inside a core's cache.
PRODUCTS = 16  # Timed together.
CACHE = 512 * 1024  # Bytes copied inside the cache.
MEMORY = 128 * 1024 * 1024  # Bytes copied in memory.
SECONDS = 0.5  # That each measurement takes.
_COPIED = 8 * 1024 * 1024  # Bytes of the copies timed together, where one has fewer.
WAIT = 600  # Seconds for the other cores' processes at most.
_RATES = ('flops_per_second', 'cache_bytes_per_second', 'memory_bytes_per_second')


def measure() -> dict[str, dict[str, float]]:
  """Flops and bytes per second of one core, and of all cores at work at the same time."""
  cores = sorted(os.sched_getaffinity(0))
  return {'one_core': _together(cores[:1]), 'all_cores': _together(cores)}


def _together(cores):
  """A process for each core, which start each measurement together; the sum of their rates."""
  context = multiprocessing.get_context('spawn')
  results, barrier = context.Queue(), context.Barrier(len(cores), timeout=WAIT)
  for core in cores:
    _start_on(core, context.Process(target=_measure_core, args=(results, barrier)))
  found = [results.get(timeout=WAIT) for _ in cores]
  return {'cores': len(cores), **{rate: sum(core[rate] for core in found) for rate in _RATES}}


def _start_on(core, process):
  """Libraries start their threads as they are imported: pinning comes before, by inheritance."""
  allowed = os.sched_getaffinity(0)
  os.sched_setaffinity(0, {core})
  try:
    process.start()
  finally:
    os.sched_setaffinity(0, allowed)


def _measure_core(results, barrier):
  flops = max(PRODUCTS * 2 * SIDE**3 / _best_seconds(chain, barrier) for chain in _chains())
  cache, memory = (_copied_per_second(size, barrier) for size in (CACHE, MEMORY))
  results.put(dict(zip(_RATES, (flops, cache, memory))))


def _chains() -> Iterator[Callable]:
  """As many matrix products by each library that is here; which is the best differs."""
  x = np.full((SIDE, SIDE), 1 / SIDE, np.float32)
  power = np.empty_like(x)
  yield lambda: [np.matmul(x, x, out=power) for _ in range(PRODUCTS)]
  chain = compilation.jit(lambda x: jax.lax.fori_loop(
      0, PRODUCTS, lambda _, power: power @ x, x))
  yield lambda: chain(jnp.asarray(x)).block_until_ready()
  try:
    import torch
  except ImportError:
    return
  y, out = torch.from_numpy(x), torch.from_numpy(power)
  yield lambda: [torch.mm(y, y, out=out) for _ in range(PRODUCTS)]


def _copied_per_second(size, barrier):
  """Bytes read and bytes written."""
  source, target = np.zeros((2, size // 4), np.float32)
  count = max(1, _COPIED // size)
  best = _best_seconds(lambda: [np.copyto(target, source) for _ in range(count)], barrier)
  return count * 2 * size / best


def _best_seconds(run, barrier):
  run()
  barrier.wait()
  best, end = float('inf'), time.perf_counter() + SECONDS
  while time.perf_counter() < end:
    start = time.perf_counter()
    run()
    best = min(best, time.perf_counter() - start)
  return best
