"""Every task can be trained: the program of its training and validation is traced, not computed."""

import jax
import pytest

from maes_jax import families
from maes_jax import models
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training.trainer import Trainer
from tests.training.tiny import Tiny


class Anywhere(Tiny):
  """A cell without a memory: it does without any address and takes nothing over."""

  def in_ring(self, state, ring):
    del ring
    return state

  def hand_over(self, state):
    return (), state

  def take_over(self, handed, own, start):
    del handed, start
    return own


def config(task, tied):
  """Of sequences as short as can be; the rings of one cell are drawn, as the NTM's are."""
  shortest = max(task.shortest, 2)
  length = {'min_length': shortest, 'start_min_length': shortest, 'start_length': shortest}
  return Config(
      model='anywhere', task=(task.name,), ring='drawn' if tied else 'whole',
      batch_size=1, validation_sequences=2,
      max_length=shortest + 1, memory=task.needs(shortest + 1) + 4, validation_length=shortest + 2,
      validation_memory=task.needs(shortest + 2) + 4, **length)


@pytest.mark.parametrize('tied', [True, False], ids=['tied', 'turns'])
@pytest.mark.parametrize('name', tasks.TASKS)
def test_a_window_of_every_task_and_its_validation(name, tied, monkeypatch):
  monkeypatch.setitem(families.FAMILIES, 'anywhere', families.Family(Anywhere, tied=tied))
  resolved = families.resolve(config(tasks.get(name), tied))
  trainer = Trainer(resolved, models.build(resolved), window_size=1)
  start = trainer.abstract()
  form = lambda state: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)
  assert form(jax.eval_shape(trainer.train_population, start)) == form(start)
  loss, counts = jax.eval_shape(trainer.validate_population, start)
  assert loss.shape == (1,) and counts[name].sequences_right.shape == (1, 2)
