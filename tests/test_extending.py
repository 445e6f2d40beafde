"""What a user adds from outside, in a few lines each: items, programs, heads, cells; all train.

Nothing of the library is changed for any of these; each test trains what it adds and says how well
it must do after so little.
"""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import maes_jax
from maes_jax import families
from maes_jax import items
from maes_jax import models
from maes_jax import phases
from maes_jax import tasks
from maes_jax.cells import base
from maes_jax.cells import maes
from maes_jax.options import option
from maes_jax.training import metrics


@pytest.fixture(autouse=True)
def fresh_registries(monkeypatch):
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
  monkeypatch.setattr(families, 'FAMILIES', dict(families.FAMILIES))


def train(path, **options):
  """Trains in `path`; the rows of the log of its first model."""
  options = {'max_length': 4, 'min_length': 1, 'memory': 8, 'batch_size': 16,
             'validation_length': 4, 'validation_memory': 8, 'validate_every': 1000, 'warmup': 0,
             'hold': 0, 'grow': 0, 'learning_rate': .02, 'stop_loss': 1e-9, **options}
  maes_jax.train(maes_jax.Config(**options), path)
  return [row for row in metrics.read(path / 'metrics.jsonl') if row['model'] == 0]


# --- Items of one's own sizes and kinds.


def recall_of(kind):
  """Serial Recall of any items."""
  def ask(key, words, length):
    del key
    return tasks.Question(aux=jnp.zeros_like(words), targets=words,
                          mask=tasks.within(length, len(words)))
  return tasks.Task('recall_of', kind.outputs, ask, items=kind, answers=kind)


@pytest.mark.parametrize('kind, guess, unit', [
    (items.Bits(5), np.log(2), 'bit'),
    (items.Tokens(6, embedded=4), np.log(6), 'token'),
    (items.Vectors(2), 1 / 12, 'number')], ids=['bits', 'tokens', 'vectors'])
def test_items_of_other_kinds(tmp_path, kind, guess, unit):
  """A tenth of the loss of who knows nothing but how items are drawn, and answers that fit."""
  tasks.register(recall_of(kind))
  log = train(tmp_path / 'run', model='lstm', units=24, layers=1, task=('recall_of',), max_length=2,
              max_iterations=500)
  assert log[-1]['loss'] < guess / 10
  assert f'{unit}_accuracy/recall_of' in log[-1]
  words = [np.asarray(kind.draw(jax.random.key(i), 2)) for i in range(3)]
  if isinstance(kind, items.Tokens):
    words = [word.argmax(-1) for word in words]
  for found, word in zip(maes_jax.load(tmp_path / 'run').answer(words, hard=True), words,
                         strict=True):
    assert found.shape == word.shape
    assert np.abs(found - word).max() < (.5 if unit != 'number' else .2)


# --- An episode of more than two phases.


def interrupted(key, words, length):
  """Store, distract, store, recall: what came in while the solver was busy is to be ignored.

  Three markers, so that a cell knows what to do with the items that follow.
  """
  first, second = (length + 1) // 2, length // 2
  marked = lambda part, bit, count: (
      tasks.with_marker(TASK, jnp.where(tasks.within(count, len(part))[:, None], part, 0), bit))
  distraction = TASK.items.draw(key, 2)
  later = jnp.roll(words, -first, axis=0)
  phase = phases.Phase
  return (
      phase(marked(words, 0, first), 1 + first),
      phase(marked(distraction, 1, 2), jnp.int32(3), cell=phases.SOLVER),
      phase(marked(later, 0, second), jnp.where(second > 0, 1 + second, 0)),
      phase(marked(0 * words, 2, length), 1 + length, cell=phases.SOLVER, start=phases.RESTART,
            targets=jnp.pad(words, ((1, 0), (0, 0))),
            mask=jnp.pad(tasks.within(length, len(words)), (1, 0))))


TASK = tasks.Task('interrupted', outputs=4, ask=interrupted, items=items.Bits(4), control_bits=3,
                  reuses_memory=True)


def test_a_program_of_phases(tmp_path):
  """Both stretches are recalled, encoder and solver taking turns on one memory."""
  tasks.register(TASK)
  log = train(tmp_path / 'run', task=('interrupted',), width=8, units=8, max_length=2,
              max_iterations=500, memory=10, validation_length=2, validation_memory=10)
  assert log[-1]['loss'] < np.log(2) / 10
  trained = maes_jax.load(tmp_path / 'run')
  tester = maes_jax.Tester(trained.model, TASK, max_length=2, addresses=10)
  counts = tester.test(trained.params, length=2, batches=2)
  assert counts.bits_right > .99 * counts.bits
  recording = maes_jax.record(trained.model, trained.params, TASK, length=2, addresses=10)
  assert recording.starts.tolist() == [0, 2, 5, 7]
  assert recording.solves.tolist() == [False] * 2 + [True] * 3 + [False] * 2 + [True] * 3


# --- A head that looks by content.


def test_maes_that_looks_by_content(tmp_path):
  """By its option and by a class of one's own: the same model, which learns."""

  class ByContent(maes.Maes):
    head: str = option('content')

  families.register('by_content', families.Family(ByContent))
  sizes = {'width': 8, 'units': 8, 'min_length': 1, 'max_length': 2, 'task': ('serial_recall',)}
  one, other = (maes_jax.build(maes_jax.Config(**sizes, **given))
                for given in ({'model': 'by_content'}, {'cell': {'head': 'content'}}))
  assert one.encoder.reach is other.encoder.reach is None
  described = lambda model: jax.tree.map(lambda leaf: leaf.shape, models.parameters(model))
  assert described(one) == described(other)
  log = train(tmp_path / 'run', model='by_content', max_iterations=500, **sizes)
  assert log[-1]['loss'] < np.log(2) / 3


# --- A recurrent cell with an option of its own.


class State(NamedTuple):
  hidden: chex.Array  # [H]


class Gated(base.Cell):
  """Gated recurrent units (Cho et al. 2014); `keep` is the first bias of the gate that keeps."""
  units: int = option(32, minimum=1)
  keep: float = option(0., initial=True)

  def initial_state(self, addresses):
    del addresses
    return State(jnp.zeros(self.units))

  @nn.compact
  def __call__(self, state_tm1, x_t):
    hidden_tm1 = state_tm1.hidden
    z_t = jnp.concatenate([x_t, hidden_tm1])
    keep_t = nn.sigmoid(nn.Dense(
        self.units, name='keep_gate', bias_init=nn.initializers.constant(self.keep))(z_t))
    reset_t = nn.sigmoid(nn.Dense(self.units, name='reset')(z_t))
    new_t = jnp.tanh(nn.Dense(self.units, name='new')(jnp.concatenate([x_t, reset_t * hidden_tm1])))
    hidden_t = keep_t * hidden_tm1 + (1 - keep_t) * new_t
    output_t = nn.Dense(self.outputs, name='output')(hidden_t) if self.outputs else None
    return State(hidden_t), base.Step(output_t, read=None, write=None)


def test_a_gated_recurrent_cell(tmp_path):
  families.register('gated', families.Family(Gated, tied=True))
  log = train(tmp_path / 'run', model='gated', cell={'units': 48, 'keep': 1.}, max_length=2,
              task=('serial_recall',), max_iterations=500)
  assert log[-1]['loss'] < np.log(2) / 10
  trained = maes_jax.load(tmp_path / 'run')
  assert (trained.model.encoder.units, trained.model.encoder.keep) == (48, 1.)
  fresh = trained.model.init(jax.random.key(0))['encoder']
  np.testing.assert_array_equal(fresh['keep_gate']['bias'], 1)
  message = r"'gated' has no option 'kept'.*did you mean 'keep'"
  with pytest.raises(maes_jax.UserError, match=message):
    maes_jax.build(maes_jax.Config(model='gated', cell={'kept': 1.}))
