"""JAX's settings of precision change nothing: the same bits, in the same types."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maes_jax import models
from maes_jax import families
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training.trainer import Trainer

SMALL = {'batch_size': 2, 'max_length': 5, 'memory': 8, 'validation_length': 6,
         'validation_memory': 8, 'validation_sequences': 4}


def trained(optimizer=None, **options):
  """A population after a window and its validation."""
  config = families.resolve(Config(**SMALL, **options))
  trainer = Trainer(config, models.build(config), optimizer=optimizer, window_size=3)
  state = trainer.train_population(trainer.init())
  losses, _ = trainer.validate_population(state)
  yes, no = np.array([True]), np.array([False])
  return jax.device_get(trainer.record_validation(state, losses, yes, no))


@pytest.mark.parametrize('options', [
    {'task': ('serial_recall', 'odd_recall')},
    {'task': ('sequence_comparison', 'hard_equality')},
    {'model': 'ntm', 'units': 4}, {'model': 'dnc', 'units': 4},
    {'model': 'lstm', 'units': 4, 'layers': 2},
    {'units': 4, 'optimizer': optax.adamw(optax.cosine_decay_schedule(.01, 9))},
], ids=lambda options: str(options)[:28])
def test_double_precision_and_strict_promotion_train_the_same_models(options):
  wanted = trained(**options)
  with jax.enable_x64(True), jax.numpy_dtype_promotion('strict'):
    found = trained(**options)
  for path, leaf in jax.tree_util.tree_leaves_with_path(found):
    assert leaf.dtype in (np.int32, np.float32), path
  jax.tree.map(np.testing.assert_array_equal, found, wanted)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize('name', sorted(families.FAMILIES))
def test_settings_change_no_type_of_any_model(name, dtype):
  config = families.resolve(Config(model=name, **SMALL))
  with jax.enable_x64(True), jax.numpy_dtype_promotion('strict'):
    model = models.build(config)
    made = models.parameters(model)
    params = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, dtype), made)
    episodes = {task: tasks.dry_run(tasks.get(task), config.max_length) for task in config.task}
    answers = jax.eval_shape(
        functools.partial(model.answer, addresses=config.memory), params, episodes)
  for path, leaf in jax.tree_util.tree_leaves_with_path(made):
    assert leaf.dtype == np.float32, path
  for path, leaf in jax.tree_util.tree_leaves_with_path(answers):
    assert leaf.dtype == dtype, path
