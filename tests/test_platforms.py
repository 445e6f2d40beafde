"""Every program lowers for TPUs and GPUs, as an accelerator takes it, and calls nothing of a CPU's.

That nothing is bound to a platform, not that it was run there. Those of the notebook are lowered
where it runs, in `test_notebook`.
"""

import jax
import jax.numpy as jnp
import pytest

from maes_jax import evaluation
from maes_jax import families
from maes_jax import models
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import microbatches
from maes_jax.training.trainer import Trainer

PLATFORMS = ('tpu', 'cuda')


@pytest.fixture(autouse=True)
def wide(monkeypatch):
  """All models and sequences at once."""
  monkeypatch.setattr(microbatches, '_on_cpu', lambda: False)
  monkeypatch.setattr(evaluation.Tester, '_at_once', 3)


def check(jitted, *args):
  lowered = jitted.trace(*args).lower(lowering_platforms=PLATFORMS)
  assert 'custom_call' not in lowered.as_text()


def trainer(**options):
  settings = families.resolve(Config(seeds=2, **options))
  return Trainer(settings, models.build(settings), devices=jax.devices()[:1])


@pytest.mark.parametrize('options', [
    *({'model': name} for name in families.FAMILIES),
    {'task': ('serial_recall', 'reverse_recall')}, {'task': ('sequence_comparison',)},
    {'task': ('prefix_equality',)}, {'model': 'transformer', 'cell': {'position': 'random'}},
    {'task': ('carry',)}, {'task': ('binary_addition',)}], ids=str)
def test_training_and_validation(options):
  one = trainer(**options)
  state = one.abstract()
  check(one.train_population, state)
  check(one.validate_population, state)
  check(one.record_validation, state, jnp.zeros(2), jnp.ones(2, bool), jnp.ones(2, bool))


@pytest.mark.parametrize('name', ['maes', 'ntm'])
def test_long_tests(name):
  model = models.build(Config(model=name))
  tester = evaluation.Tester(model, tasks.get('serial_recall'), 1000, 1024, 32)
  given = models.parameters(model), 1000, jax.random.split(jax.random.key(0), 3)
  check(tester._through_all, *given)
  for through_window in tester._through_windows.values():
    check(through_window, *given)
