"""Encoders taken over from the shipped models."""

import dataclasses
import pathlib

import jax
import numpy as np
import pytest

import maes_jax
from maes_jax import errors
from maes_jax import items
from maes_jax import families
from maes_jax import tasks
from maes_jax import trained
from maes_jax.config import Config

SHIPPED = pathlib.Path(__file__).parents[1] / 'checkpoints'


def config(**options):
  return families.resolve(Config(
      **{'task': ('odd_recall',), 'encoder': str(SHIPPED / 'E_J'), **options}))


@pytest.mark.parametrize('recipe', ['short_first', 'plain'])
def test_an_encoder_serves_whatever_recipe_trained_it(recipe):
  """Recipes differ in where parameters start from, which is past once they are trained."""
  encoder = trained.load_encoder(config(recipe=recipe))
  whole = trained.load(SHIPPED / 'E_J').params
  assert encoder.keys() == {'encoder'}
  jax.tree.map(np.testing.assert_array_equal, encoder['encoder'], whole['encoder'])


@pytest.mark.parametrize('options, words', [
    ({'units': 4}, 'units=5.* not .*units=4'),
    ({'task': ('narrow',)}, 'reading 10 numbers, not .*reading 5 numbers'),
    ({'task': ('embedded',)}, r'reading 10 numbers, not .*reading 9 numbers through .*\[7, 3\]'),
    ({'line3': 'move_first'}, 'line3=write_first.* not .*line3=move_first'),
    ({'model': 'ntm'}, 'is maes .* not ntm'),
])
def test_an_encoder_of_another_kind_is_refused(options, words, monkeypatch):
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
  for name, kind in (('narrow', items.Bits(3)), ('embedded', items.Tokens(7, embedded=3))):
    tasks.register(dataclasses.replace(
        tasks.get('serial_recall'), name=name, outputs=kind.outputs, items=kind, answers=kind))
  with pytest.raises(errors.UserError, match=words):
    trained.load_encoder(config(**options))


@pytest.mark.parametrize('index', ['0', .5, 0., True, -1, 1, np.array(0), [0]], ids=repr)
def test_what_numbers_no_model_of_a_population_is_refused(index):
  with pytest.raises(errors.UserError, match=r'is not in .* the models 0 to 0; give'):
    trained.load(SHIPPED / 'E_J', index)
  assert trained.load(SHIPPED / 'E_J', np.int64(0)).index == 0


def test_one_is_like_itself_alone():
  """Arrays are not equal as a whole, so that two that were loaded are two."""
  one, other = trained.load('E_S'), trained.load('E_S')
  assert one != other and len({one, one, other}) == 2


@pytest.mark.parametrize('only', ['encoders', ['x', 'y']])
def test_nothing_that_a_model_has_is_no_damage(only):
  with pytest.raises(errors.UserError, match=r'E_J has no parameters .*it has encoder, solvers'):
    trained.load('E_J', only=only)


@pytest.mark.parametrize('only', ['encoder', 'solvers'])
def test_a_part_of_a_model_cannot_be_proved(only):
  with pytest.raises(errors.UserError, match=f'only {only} was loaded; leave `only` out'):
    maes_jax.certify(trained.load('E_J', only=only), 'reverse_recall')
