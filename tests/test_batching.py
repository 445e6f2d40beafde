"""`vmap` over one takes the axis off; over several it is JAX's."""

import chex
import jax
import jax.numpy as jnp
import pytest

from maes_jax import batching


def function(key, tree):
  return {'noise': jax.random.normal(key, (2,)), 'sum': tree['a'].sum() + tree['b']}


@pytest.mark.parametrize('size', [1, 3])
def test_gives_what_jax_gives(size):
  tree = {'a': jnp.arange(4. * size).reshape(size, 4), 'b': jnp.arange(size)}
  args = jax.random.split(jax.random.key(0), size), tree
  chex.assert_trees_all_equal(batching.vmap(function)(*args), jax.vmap(function)(*args))


@pytest.mark.parametrize(('size', 'shape'), [(1, (4, 2)), (3, (3, 4, 2))])
def test_one_is_computed_without_the_axis(size, shape):
  program = jax.make_jaxpr(batching.vmap(jnp.sin))(jnp.zeros((size, 4, 2)))
  sines = [equation for equation in program.eqns if equation.primitive.name == 'sin']
  assert [equation.outvars[0].aval.shape for equation in sines] == [shape]
