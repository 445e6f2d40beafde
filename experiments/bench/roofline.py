"""What this machine can do at most: float32 operations and bytes per second, measured."""

import multiprocessing
import os
import time

import jax
import jax.numpy as jnp
import numpy as np

from .timing import Record
from maes_jax import compilation

SIDE = 256  # Of the matrices of the product: three of them are 0.75 MiB, inside a core's cache.
PRODUCTS = 16  # Timed together.
LONG = 2048  # Numbers in a row of what is read.
CACHE = 512 * 1024  # Bytes copied inside the cache.
SHARED = 20 * 1024**2  # Bytes read from what all cores share, as many as a large LSTM has.
SECONDS = 0.5  # That each measurement takes.


def measure() -> Record:
  """Of one core alone, and of all the cores, had each as much to itself."""
  allowed = os.sched_getaffinity(0)
  os.sched_setaffinity(0, {min(allowed)})  # Libraries start their threads as they are imported.
  try:
    with multiprocessing.get_context('spawn').Pool(1) as pool:
      core, alone = pool.apply(_measure_core), pool.apply(_measure_shared)
  finally:
    os.sched_setaffinity(0, allowed)
  with multiprocessing.get_context('spawn').Pool(1) as pool:
    together = pool.apply(_measure_shared)
  return {'one_core': {'cores': 1, **core, 'shared_bytes_per_second': alone}, 'all_cores': {
      'cores': len(allowed), **{name: len(allowed) * rate for name, rate in core.items()},
      'shared_bytes_per_second': together}}


def _measure_core():
  x = np.full((SIDE, SIDE), 1 / SIDE, np.float32)
  power, copy = np.empty_like(x), np.zeros((2, CACHE // 4), np.float32)
  chain = compilation.jit(lambda x: jax.lax.fori_loop(
      0, PRODUCTS, lambda _, power: power @ x, x))
  products = min(_best_seconds(lambda: [np.matmul(x, x, out=power) for _ in range(PRODUCTS)]),
                 _best_seconds(lambda: chain(jnp.asarray(x)).block_until_ready()))
  return {'flops_per_second': PRODUCTS * 2 * SIDE**3 / products,  # Which is the best differs.
          'cache_bytes_per_second': 2 * CACHE / _best_seconds(lambda: np.copyto(*copy))}


def _measure_shared():
  matrix = np.ones((SHARED // 4 // LONG, LONG), np.float32)
  vector = np.ones(LONG, np.float32)
  product, ours = compilation.jit(jnp.matmul), (jnp.asarray(matrix), jnp.asarray(vector))
  return SHARED / min(_best_seconds(lambda: matrix @ vector),
                      _best_seconds(lambda: product(*ours).block_until_ready()))


def _best_seconds(run):
  run()
  best, end = float('inf'), time.perf_counter() + SECONDS
  while time.perf_counter() < end:
    start = time.perf_counter()
    run()
    best = min(best, time.perf_counter() - start)
  return best
