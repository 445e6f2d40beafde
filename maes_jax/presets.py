"""Values that a config leaves open: the model's, the recipe's and the task's."""

import dataclasses
from typing import Any

from maes_jax.config import Config

# MAES is validated at length 64 and stops by its training loss (paper, section 4.1); the baselines
# are validated, and stopped, just beyond the lengths that they train on (section 5.4).
_MAES = {
    'recipe': 'short_first', 'stop_on': 'training',
    'validation_length': 64, 'validation_memory': 80}
_BASELINE = {
    'recipe': 'curriculum', 'stop_on': 'validation', 'batch_size': 1,
    'validation_length': 21, 'validation_memory': 30}
_MODELS = {'ntm': _BASELINE, 'dnc': _BASELINE, 'lstm': _BASELINE}

# `plain` is the paper as far as it says. `short_first` is what made every seed learn: sequences
# that start short, attention that starts soft, and a memory that is written only little at first.
# `curriculum` is for the baselines: it grows slowly to length 20 (section 5.4).
_RECIPES: dict[str, dict[str, Any]] = {
    'plain': {
        'learning_rate': 0.01, 'half_life': 0, 'b2': 0.999, 'warmup': 0,
        'start_min_length': 3, 'start_length': 20, 'hold': 0, 'grow': 0},
    'short_first': {
        'learning_rate': 0.02, 'half_life': 0, 'b2': 0.95, 'warmup': 200,
        'start_min_length': 3, 'start_length': 3, 'hold': 300, 'grow': 700},
    'curriculum': {
        'learning_rate': 0.005, 'half_life': 0, 'b2': 0.95, 'warmup': 200,
        'start_min_length': 3, 'start_length': 3, 'hold': 2000, 'grow': 8000},
}
# One answer a sequence teaches little: comparing the last item alone is right on 255 of 256 unequal
# sequences. Sequences of 1 to 3 items teach to compare; hidden units that hold on to what they saw,
# and a rate that falls, to remember every item.
_ONE_ANSWER = {
    'start_min_length': 1, 'start_length': 3, 'hold': 500, 'grow': 2000, 'half_life': 300,
    'latch': 3.}
_CELLS: dict[tuple[str, str], dict[str, Any]] = {
    ('maes', 'short_first'): {'write_bias': -3., 'gamma_bias': -3.},
}

_EQUALITY = ('sequence_equality', 'hard_equality')
# Few answers a sequence make the loss jump: batches of 64 (paper, section 5.3).
_LARGE_BATCH = ('sequence_comparison', *_EQUALITY)


def resolve(config: Config) -> Config:
  """The same config with nothing about training left open."""
  large = any(name in _LARGE_BATCH for name in config.task)
  model = {'batch_size': 64 if large else 1, **_MODELS.get(config.model, _MAES)}
  return _fill_in(config, {**model, **_recipe(config, config.recipe or model['recipe'])})


def _recipe(config, name):
  recipe = {**_RECIPES[name], **_CELLS.get((config.model, name), {})}
  if config.model == 'maes' and name == 'short_first' and set(config.task) <= set(_EQUALITY):
    recipe.update(_ONE_ANSWER)
  longest = config.start_length or min(recipe['start_length'], config.max_length)
  return {**recipe, 'start_length': longest,
          'start_min_length': min(recipe['start_min_length'], longest)}


def _fill_in(config, preset):
  still_open = {name: value for name, value in preset.items() if getattr(config, name) is None}
  return dataclasses.replace(config, **still_open)
