"""Shapes of arguments in letters, so that a wrong one is named where it comes in."""

import contextlib
import math
from typing import Any
import warnings

import chex
import jax
import numpy as np


def check(**arguments: tuple[Any, str, type]):
  """Checks arrays against their letters and kinds of number.

  `check(memory=(memory, 'WN', float), attention=(attention, 'N', float))` wants two axes, one axis
  as long as the second of these, and floating point. An argument that is None is not there.

  Raises:
    AssertionError: names the argument, what it is and what it must be.
  """
  sizes: dict[str, int] = {}
  for name, (array, letters, kind) in arguments.items():
    if array is None:
      continue
    wanted = f'{name} must be [{", ".join(letters)}] of {kind.__name__}'
    expected = tuple(sizes.get(letter) for letter in letters)  # None is any size.
    chex.assert_shape(array, expected, custom_message=wanted)
    chex.assert_type(array, kind, custom_message=wanted)
    sizes.update(zip(letters, np.shape(array)))


@contextlib.contextmanager
def quietly():
  """Here JAX does not warn of axes that 32 bits cannot index, as nothing is made of them.

  For a dry run, before `room` refuses them in a line.
  """
  with warnings.catch_warnings():
    warnings.filterwarnings('ignore', 'Explicitly requested dtype')
    yield


def size(tree: Any) -> int:
  """Bytes of arrays, or of what `jax.eval_shape` says of them; a whole number of any size."""
  return sum(math.prod(leaf.shape) * np.dtype(leaf.dtype).itemsize
             for leaf in jax.tree.leaves(tree))
