"""A cell in single precision beside its oracle."""

import jax
import numpy as np


def assert_stays_close(module, params, state, step, inputs):
  """From a state on, for inputs [T, X]; `step` is the oracle's, its first result the state."""
  apply, expected = jax.jit(module.apply), state
  for x_t in inputs:
    state, _ = apply({'params': params}, state, x_t)
    expected, *_ = step(params, expected, x_t)
    for found, wanted in zip(state, expected, strict=True):
      np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
