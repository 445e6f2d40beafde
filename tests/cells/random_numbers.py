"""Random parameters and states for tests: a zero bias or a zero state hides a wrong product."""

import jax
import numpy as np


def tree(rng, like):
  """Numbers of both signs in every leaf, of the shapes of `like`."""
  return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), like)


def params(rng, module, addresses, inputs):
  """Random parameters of a cell."""
  shapes = jax.eval_shape(lambda: module.init(
      jax.random.key(0), module.initial_state(addresses), np.zeros(inputs)))
  return tree(rng, shapes['params'])


def attention(rng, heads, addresses, most=1.):
  """Attention [heads, N] that sums to 1, or to random sums of at most `most`."""
  total = 1. if most == 1 else rng.uniform(0.2, most, size=(heads, 1))
  return rng.dirichlet(np.ones(addresses), size=heads) * total
