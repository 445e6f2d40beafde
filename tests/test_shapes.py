"""A wrong argument is named, with what it is and what it must be."""

import jax
import jax.numpy as jnp
import pytest

from maes_jax import evaluation
from maes_jax import items
from maes_jax import memory
from maes_jax import shapes
from maes_jax import tasks


@pytest.mark.parametrize('call, words', [
    (lambda: memory.read(jnp.zeros((3, 4)), jnp.zeros(5)),
     ('(5,)', '(4)', 'attention must be [N]')),
    (lambda: memory.read(jnp.zeros(4), jnp.zeros(4)), ('memory must be [W, N]',)),
    (lambda: memory.read(jnp.zeros((3, 4), int), jnp.zeros(4)), ('int', 'memory', 'of float')),
    (lambda: memory.erase_and_add(jnp.zeros((3, 4)), jnp.zeros(4), jnp.zeros(2), jnp.zeros(3)),
     ('(2,)', '(3)', 'erase must be [W]')),
    (lambda: memory.shift(jnp.zeros(4), jnp.zeros((1, 3))), ('kernel must be [K]',)),
    (lambda: memory.sharpen(jnp.zeros(4), jnp.ones(1)), ('gamma must be []',)),
    (lambda: evaluation.count(jnp.zeros((2, 3, 1)), jnp.zeros((2, 3, 1)), jnp.ones((2, 2), bool),
                              items.Bits(1)),
     ('mask must be [B, A]',)),
    (lambda: tasks.sample_batch(tasks.get('odd_recall'), jax.random.split(jax.random.key(0), 2),
                                jnp.ones(2), 5), ('lengths must be [B] of int',)),
])
def test_is_named(call, words):
  with pytest.raises(AssertionError) as error:
    call()
  for word in words:
    assert word in str(error.value)


def test_letters_stand_for_one_size():
  pair = (jnp.zeros((2, 3)), 'AB', float)
  shapes.check(one=pair, other=(jnp.zeros((3, 2)), 'BA', float))
  with pytest.raises(AssertionError, match='other must be'):
    shapes.check(one=pair, other=(jnp.zeros((2, 3)), 'BA', float))
