"""Adam that steps over gradients that are not finite, against Optax's own wrapper."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maes_jax.training import adam
from maes_jax.training import skipping

LARGEST = float(np.finfo(np.float32).max)


def run(transform, gradients):
  """The steps and the last moments, for a gradient after the other, operation by operation."""
  state, steps = transform.init(gradients[0]), []
  with jax.disable_jit():
    for gradient in gradients:
      step, state = transform.update(gradient, state)
      steps.append(step)
  return steps, optax.tree.get(state, 'mu'), optax.tree.get(state, 'nu')


def test_is_optax_bit_for_bit():
  """Random gradients, some clipped, some not finite, the very first too; a rate that changes."""
  rng, schedule = np.random.default_rng(0), optax.linear_schedule(.1, .3, 4)
  gradients = [{'kernel': jnp.array(rng.normal(scale=5, size=(3, 2)), jnp.float32),
                'bias': jnp.array(rng.normal(scale=5, size=2), jnp.float32)} for _ in range(8)]
  for n, wrong in {0: jnp.nan, 3: jnp.inf, 4: -jnp.inf}.items():
    gradients[n]['bias'] = gradients[n]['bias'].at[1].set(wrong)
  peer = optax.apply_if_finite(
      optax.chain(optax.clip(4.), optax.adam(schedule, b2=.95)), max_consecutive_errors=9)
  found, wanted = (run(each, gradients) for each in (adam.make(schedule, .95, 4.), peer))
  jax.tree.map(np.testing.assert_array_equal, found, wanted)
  moves = [bool(jnp.any(step['bias'])) for step in found[0]]
  assert moves == [n not in (0, 3, 4) for n in range(8)]


@pytest.mark.parametrize('wrong', [jnp.nan, jnp.inf, -jnp.inf])
@pytest.mark.parametrize('shape', [(), (5,), (3, 4), (2, 3, 4)])
def test_one_number_that_is_not_finite_is_found(wrong, shape):
  good = jnp.full(shape, LARGEST)
  bad = good.ravel().at[-1].set(wrong).reshape(shape)
  finite = jax.jit(skipping.all_finite)
  assert finite({'a': good, 'b': -good})
  assert not finite({'a': good, 'b': bad})
