"""JAX's settings of precision make no other task of any: the same numbers, in the same types."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import evaluation
from maes_jax import tasks
from maes_jax.tasks import manipulation
from maes_jax.training import losses

SETTINGS = pytest.mark.parametrize('double', [False, True], ids=['32 bit', '64 bit'])
KEY = np.array([0, 3], np.uint32)
BY = 0.07  # Of 150 words 10.5, in double precision a little more.


def strict(double):
  """The settings: no dtype is taken for another, and what has none is of 32 or 64 bits."""
  settings = jax.numpy_dtype_promotion('strict'), jax.enable_x64(double)
  return lambda function: settings[0](settings[1](function))


def drawn(task, length, padded):
  """An episode, of a length that is traced."""
  draw = lambda key, n: tasks.sample(task, jax.random.wrap_key_data(key), n, padded)
  return jax.make_jaxpr(draw)(KEY, np.int32(length))


@SETTINGS
@pytest.mark.parametrize('name', tasks.TASKS)
def test_every_task_is_drawn_by_the_same_program(name, double):
  task, length = tasks.get(name), tasks.get(name).shortest + 1
  found, wanted = (draw(task, length, length + 1) for draw in (strict(double)(drawn), drawn))
  assert str(found) == str(wanted)
  jax.tree.map(np.testing.assert_array_equal, found.consts, wanted.consts)


def test_a_key_is_the_same_episode_however_numbers_are_drawn_by_default():
  """The way that JAX had before needs only ask once: all tasks draw in one place."""
  episode = lambda: jax.device_get(tasks.sample(tasks.get('carry'), jax.random.key(0), 7, 8))
  wanted = episode()
  with jax.threefry_partitionable(False):
    found = episode()
  jax.tree.map(np.testing.assert_array_equal, found, wanted)


@SETTINGS
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16], ids=['single', 'half'])
@pytest.mark.parametrize('kind', {task.answers: 0 for task in tasks.TASKS.values()}, ids=str)
def test_every_kind_of_answer_is_graded_alike(kind, dtype, double):
  def graded():
    targets = jnp.asarray(kind.draw(jax.random.wrap_key_data(KEY), 3))[None, :, :kind.outputs]
    logits, mask = (8 * targets - 4).astype(dtype), jnp.ones((1, 3), bool)
    return (evaluation.count(logits, targets, mask, kind),
            losses.masked_mean(logits, targets, mask, kind))

  found, wanted = strict(double)(graded)(), graded()
  jax.tree.map(np.testing.assert_array_equal, found, wanted)
  assert [leaf.dtype for leaf in jax.tree.leaves(found)] == [
      leaf.dtype for leaf in jax.tree.leaves(wanted)]


@SETTINGS
def test_a_rotation_by_a_fraction_is_the_same(double):
  """Whether its length is traced, known or NumPy's."""
  words = jnp.arange(150, dtype=jnp.int32)[:, None]
  turned = lambda length: np.asarray(manipulation.turned(words, length, BY)).ravel()
  strictly = strict(double)(turned)
  for found in (turned(150), strictly(150), strictly(np.int64(150)), jax.jit(
      lambda length: manipulation.turned(words, length, BY))(150).ravel()):
    np.testing.assert_array_equal(found, np.roll(np.arange(150), 10))
