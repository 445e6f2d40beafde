"""The length schedule at its corners."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import families
from maes_jax.config import Config
from maes_jax.training import lengths

CONFIG = families.resolve(Config(
    start_min_length=1, start_length=2, hold=10, grow=180, min_length=3, max_length=20,
    batch_size=4096))


@pytest.mark.parametrize('iteration, expected', [
    (0, (1, 2)),  # As it starts, even if that is shorter than min_length,
    (19, (1, 2)),
    (21, (1, 3)),  # one more every 180 / 18 = 10 iterations after the first 10,
    (99, (1, 10)),
    (101, (2, 11)),  # and the shortest every 180 / 2 = 90,
    (189, (2, 19)),
    (190, (3, 20)),  # the full range when the schedule ends,
    (100_000, (3, 20)),  # for good.
])
def test_bounds_hold_then_grow_evenly(iteration, expected):
  assert lengths.bounds(CONFIG, iteration) == expected


def test_full_range_is_where_the_config_says():
  """What counts as converged hangs on it."""
  before, there = CONFIG.full_range_from - 1, CONFIG.full_range_from
  assert lengths.bounds(CONFIG, before) != (3, 20)
  assert lengths.bounds(CONFIG, there) == (3, 20)


def test_they_start_anew_with_a_model():
  config = dataclasses.replace(CONFIG, restart_every=300, max_iterations=1100)
  for iteration in (0, 21, 189, 190, 299):
    assert lengths.bounds(config, 600 + iteration) == lengths.bounds(CONFIG, iteration)
    assert lengths.full(config, 600 + iteration) == (iteration >= CONFIG.full_range_from)


@pytest.mark.parametrize('most, ages', [
    (1100, [0, 299, 0, 299, 0, 300, 499]),  # A fourth start would end in the middle.
    (1200, [0, 299, 0, 299, 0, 0, 199]), (200, [0, 299, 300, 599, 600, 900, 1099])])
def test_the_last_start_has_all_that_is_left(most, ages):
  config = dataclasses.replace(CONFIG, restart_every=300, max_iterations=most)
  assert [int(lengths.age(config, i)) for i in (0, 299, 300, 599, 600, 900, 1099)] == ages


def test_no_schedule_is_the_full_range_from_the_start():
  config = dataclasses.replace(CONFIG, hold=0, grow=0)
  assert lengths.bounds(config, 0) == (3, 20)


def test_draws_every_length_between_the_bounds_alike():
  draw = jax.jit(lambda iteration: lengths.draw(CONFIG, iteration))
  assert set(np.asarray(draw(0))) == {1, 2}
  values, counts = np.unique(draw(190), return_counts=True)
  np.testing.assert_array_equal(values, np.arange(3, 21))
  # 4096 / 18 = 228 each, give or take five standard deviations of 15.
  assert abs(counts - 4096 / 18).max() < 75


def test_a_single_length_is_possible():
  config = dataclasses.replace(CONFIG, min_length=5, max_length=5, hold=0, grow=0)
  assert set(np.asarray(lengths.draw(config, 0))) == {5}


def test_the_baselines_reach_the_full_range():
  """Curriculum learning up to sequences of length 20 (section 5.4)."""
  config = families.resolve(Config(model='ntm'))
  bounds = [tuple(map(int, lengths.bounds(config, i))) for i in range(0, 20_000, 500)]
  assert bounds[0] == (3, 5) and bounds[-1] == (3, 20)
  assert bounds == sorted(bounds) and len(set(bounds)) == 16


@pytest.mark.parametrize('ring, stored, expected', [
    ('double', 4, {8}), ('double', 21, {30}), ('drawn', 4, set(range(5, 31))), ('drawn', 30, {30})])
def test_rings_have_room_and_no_more_than_the_memory(ring, stored, expected):
  config = dataclasses.replace(CONFIG, ring=ring, memory=30)
  keys = jax.random.split(jax.random.key(0), 2000)
  draw = jax.jit(jax.vmap(lambda key: jnp.asarray(lengths.ring(config, key, jnp.int32(stored)))))
  assert set(np.asarray(draw(keys)).ravel()) == expected
