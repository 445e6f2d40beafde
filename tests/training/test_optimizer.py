"""Clipping, Adam and freezing on two numbers a leaf."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maes_jax import errors
from maes_jax import families
from maes_jax.config import Config
from maes_jax.training import optimizer

CONFIG = families.resolve(Config(learning_rate=0.1, warmup=0, b2=0.95, clip=10.))
PARAMS = {
    'encoder': {'w': jnp.array([1., -2.])},
    'solvers': {'a': {'w': jnp.array([3., 4.])}, 'b': {'w': jnp.array([-5., 6.])}},
}


def gradients(encoder=(1., 1.), a=(1., 2.), b=(-1., -2.)):
  return {
      'encoder': {'w': jnp.array(encoder)},
      'solvers': {'a': {'w': jnp.array(a)}, 'b': {'w': jnp.array(b)}},
  }


def steps(frozen, *sequence, config=CONFIG):
  """Parameters after one optimizer step for each gradient."""
  transform = optimizer.make(config, PARAMS, frozen)
  params, state = PARAMS, transform.init(PARAMS)
  for gradient in sequence:
    updates, state = transform.update(gradient, state, params)
    params = optax.apply_updates(params, updates)
  return params


def assert_equal(found, wanted):
  jax.tree.map(np.testing.assert_array_equal, found, wanted)


def test_first_step_is_the_learning_rate_against_the_sign():
  """Adam's first step is g / |g|, whatever the size of g."""
  params = steps((), gradients(encoder=(1e-3, -5.)))
  np.testing.assert_allclose(params['encoder']['w'], [1 - .1, -2 + .1], rtol=1e-4)


def test_every_recipe_trains():
  """No warmup means the full rate at once, not none for ever."""
  for recipe in ('plain', 'short_first', 'curriculum'):
    config = families.resolve(Config(recipe=recipe))
    params = steps((), *[gradients()] * 3, config=config)
    assert (params['encoder']['w'] != PARAMS['encoder']['w']).all(), recipe


def test_warmup_raises_the_rate_evenly():
  """Four iterations of warmup: steps of 0, 1/4, 2/4, 3/4 and then all of the rate."""
  config = dataclasses.replace(CONFIG, warmup=4)
  places = [steps((), *[gradients()] * n, config=config)['encoder']['w'][0] for n in range(7)]
  np.testing.assert_allclose(-np.diff(places), .1 * np.minimum(np.arange(6) / 4, 1), atol=1e-5)


def test_second_step_uses_b2():
  """By hand for g = 1, then 3: m = .9 .1 + .1 3, v = .95 .05 + .05 9, both bias-corrected."""
  first, second = gradients(encoder=(1., 1.)), gradients(encoder=(3., 3.))
  moved = steps((), first)['encoder']['w'] - steps((), first, second)['encoder']['w']
  mean, square = (.9 * .1 + .1 * 3) / (1 - .9**2), (.95 * .05 + .05 * 9) / (1 - .95**2)
  np.testing.assert_allclose(moved, [.1 * mean / np.sqrt(square)] * 2, rtol=1e-4)


def test_clips_element_by_element():
  """A gradient of 1,000 counts as 10; its neighbour keeps its value. A norm would shrink it."""
  start = gradients(encoder=(1., 1.))
  assert_equal(steps((), start, gradients(encoder=(1000., 2.))),
               steps((), start, gradients(encoder=(10., 2.))))
  assert_equal(steps((), start, gradients(encoder=(-1000., 2.))),
               steps((), start, gradients(encoder=(-10., 2.))))


def test_a_family_names_an_optimizer_that_there_is(monkeypatch):
  monkeypatch.setitem(families.FAMILIES, 'maes', dataclasses.replace(
      families.FAMILIES['maes'], optimizer='rmspropp'))
  with pytest.raises(errors.UserError, match=r"unknown optimizer 'rmspropp'.*mean 'rmsprop'"):
    optimizer.make(CONFIG, PARAMS, ())


class TestNotFinite:

  @pytest.mark.parametrize('wrong', [jnp.nan, jnp.inf, -jnp.inf])
  def test_is_skipped_and_counted(self, wrong):
    """Parameters and moments are as if that step had never been."""
    transform = optimizer.make(CONFIG, PARAMS, ())
    state = transform.init(PARAMS)
    updates, after = transform.update(gradients(encoder=(wrong, 1.)), state, PARAMS)
    assert_equal(updates, jax.tree.map(jnp.zeros_like, PARAMS))
    assert (optimizer.skipped(state), optimizer.skipped(after)) == (0, 1)
    good, bad = gradients(), gradients(encoder=(wrong, 1.))
    assert_equal(steps((), good, bad, good), steps((), good, good))

  @pytest.mark.parametrize('in_a_row, failed', [(99, False), (100, True)])
  def test_too_many_in_a_row_are_a_failure(self, in_a_row, failed):
    transform = optimizer.make(CONFIG, PARAMS, ())
    step = jax.jit(lambda state, value: transform.update(
        gradients(encoder=(value, 1.)), state, PARAMS)[1])
    state = transform.init(PARAMS)
    for value in [jnp.nan, 1., *[jnp.nan] * in_a_row]:
      state = step(state, value)
    assert optimizer.failed(state) == failed
    assert optimizer.skipped(state) == 1 + in_a_row


class TestFrozen:

  def test_changes_by_exactly_nothing(self):
    params = steps(('encoder',), *[gradients(encoder=(1e9, -1e-9))] * 3)
    assert_equal(params['encoder'], PARAMS['encoder'])
    assert (params['solvers']['a']['w'] != PARAMS['solvers']['a']['w']).all()
    assert (params['solvers']['b']['w'] != PARAMS['solvers']['b']['w']).all()

  def test_has_no_optimizer_state(self):
    """Two moments for each of the 4 trained numbers; the rest are counters."""
    state = optimizer.make(CONFIG, PARAMS, ('encoder',)).init(PARAMS)
    assert sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.ndim) == 2 * 4

  @pytest.mark.parametrize('frozen_gradient', [(0., 0.), (1e30, -1e30), (jnp.nan, jnp.inf)])
  def test_gradients_do_not_touch_the_others(self, frozen_gradient):
    """Nothing that a frozen gradient holds, in a norm or in a mean, reaches what trains."""
    params = steps(('encoder',), *[gradients(encoder=frozen_gradient)] * 2)
    assert_equal(params['solvers'], steps((), *[gradients()] * 2)['solvers'])

  def test_mask_is_true_below_frozen_keys(self):
    mask = optimizer.mask(PARAMS, ('encoder',))
    assert mask == {'encoder': {'w': True}, 'solvers': {'a': {'w': False}, 'b': {'w': False}}}

  def test_nothing_is_differentiated_with_respect_to_it(self):
    def total(params):
      stopped = optimizer.stop_gradients(params, ('encoder',))
      return sum(leaf.sum() for leaf in jax.tree.leaves(stopped))

    gradient = jax.grad(total)(PARAMS)
    assert_equal(gradient, gradients(encoder=(0., 0.), a=(1., 1.), b=(1., 1.)))


def test_rate_halves_from_full_lengths_on():
  config = dataclasses.replace(
      CONFIG, learning_rate=.8, warmup=10, half_life=100, hold=30, grow=20)
  counts = (0, 5, 50, 150, 250, 550, 10_000)
  rates = [float(optimizer.learning_rate(config)(count)) for count in counts]
  np.testing.assert_allclose(rates, [0, .4, .8, .4, .2, .025, .025], rtol=1e-6)


def test_no_half_life_keeps_the_rate():
  assert float(optimizer.learning_rate(CONFIG)(100_000)) == np.float32(CONFIG.learning_rate)


def own_steps(own, *sequence, frozen=()):
  """As `steps`, with the last state."""
  transform = optimizer.make(CONFIG, PARAMS, frozen, own)
  params, state = PARAMS, transform.init(PARAMS)
  for gradient in sequence:
    updates, state = jax.jit(transform.update)(gradient, state, params)
    params = optax.apply_updates(params, updates)
  return params, state


class TestOwn:

  OWN = optax.sgd(.1, momentum=.9)

  @pytest.mark.parametrize('own', [OWN, lambda config: optax.sgd(config.learning_rate, .9)],
                           ids=['a transformation', 'a function'])
  def test_steps_as_it_does_alone(self, own):
    """Also beyond the stock optimizer's clip of 10."""
    sequence = gradients(encoder=(1000., -1.)), gradients()
    params, state = PARAMS, self.OWN.init(PARAMS)
    for gradient in sequence:
      updates, state = self.OWN.update(gradient, state)
      params = optax.apply_updates(params, updates)
    assert_equal(own_steps(own, *sequence)[0], params)

  @pytest.mark.parametrize('wrong', [jnp.nan, jnp.inf, -jnp.inf])
  def test_what_is_not_finite_changes_no_bit(self, wrong):
    """Neither of the parameters, of which one is -0, nor of its state, in which momentum moves."""
    transform = optimizer.make(CONFIG, PARAMS, (), self.OWN)
    params = jax.tree.map(lambda leaf: leaf.at[0].set(-0.), PARAMS)
    _, before = transform.update(gradients(), transform.init(params), params)
    updates, after = transform.update(gradients(encoder=(wrong, 1.)), before, params)
    for old, new in zip(*map(jax.tree.leaves, (params, optax.apply_updates(params, updates)))):
      assert old.tobytes() == new.tobytes()
    moments = [jax.tree.leaves(optimizer._counters(state).inner) for state in (before, after)]
    assert moments[0] and all(a.tobytes() == b.tobytes() for a, b in zip(*moments))
    assert (optimizer.skipped(before), optimizer.skipped(after)) == (0, 1)

  def test_goes_on_after_what_was_skipped(self):
    good, bad = gradients(), gradients(a=(jnp.nan, 1.))
    params, state = own_steps(self.OWN, good, bad, bad, good)
    assert_equal(params, own_steps(self.OWN, good, good)[0])
    assert (optimizer.skipped(state), optimizer._counters(state).skipped_in_a_row) == (2, 0)

  def test_sees_nothing_that_is_frozen(self):
    """The mean over all gradients, which it takes away, is that of the others alone."""
    own = optax.stateless(lambda updates, params: jax.tree.map(
        lambda leaf: leaf - optax.tree.norm(updates), updates))
    wild = gradients(encoder=(1e30, jnp.nan))
    params, _ = own_steps(own, wild, frozen=('encoder',))
    assert_equal(params['encoder'], PARAMS['encoder'])
    assert_equal(params['solvers'], own_steps(own, gradients(), frozen=('encoder',))[0]['solvers'])

  @pytest.mark.parametrize('own, said', [
      ('adam', 'is'), (.1, 'is'), (lambda config: None, 'is'),
      (optax.adam, '.* makes nothing of a config'), (lambda: None, '.* makes nothing of a config')
  ], ids=['a name', 'a rate', 'nothing made', 'of a rate', 'of nothing'])
  def test_what_is_none_is_told_in_a_line(self, own, said):
    with pytest.raises(errors.UserError, match=f'the optimizer {said} .*; give an Optax') as error:
      optimizer.make(CONFIG, PARAMS, (), own)
    assert '\n' not in str(error.value)


def test_an_update_that_is_not_finite_is_skipped_too():
  """Of a gradient that is finite, by an optimizer of one's own."""
  rate = lambda count: jnp.where(count == 1, jnp.nan, .5)
  transform = optimizer.make(CONFIG, PARAMS, ['encoder'], optax.sgd(rate))
  params, state = PARAMS, transform.init(PARAMS)
  for _ in range(3):
    updates, state = transform.update(gradients(), state, params)
    params = optax.apply_updates(params, updates)
  np.testing.assert_allclose(params['solvers']['a']['w'], [3 - .5, 4 - 1.])
  assert optimizer.skipped(state) == 2


def test_an_optimizer_of_other_parameters_is_told_in_a_line():
  with pytest.raises(errors.UserError, match='makes no update of gradients') as error:
    optimizer.make(CONFIG, PARAMS, (), optax.lookahead(optax.sgd(.1), 5, .5))
  assert '\n' not in str(error.value)


def test_an_optimizer_may_ask_for_the_loss():
  transform = optimizer.make(CONFIG, PARAMS, [], optax.polyak_sgd(max_learning_rate=10.))
  updates, _ = transform.update(gradients(), transform.init(PARAMS), PARAMS, value=jnp.float32(6))
  np.testing.assert_allclose(updates['encoder']['w'], [-.5, -.5])  # 6 / |gradient|^2 = 6 / 12


@pytest.mark.parametrize('own, line', [
    (optax.lbfgs(), 'give one that needs nothing else'),
    (optax.chain(optax.add_noise(.1, .5, jax.random.key(0)), optax.sgd(.1)), 'random keys')])
def test_an_optimizer_that_cannot_be_used_here_is_refused(own, line):
  with pytest.raises(errors.UserError, match=line) as error:
    optimizer.make(CONFIG, PARAMS, [], own)
  assert '\n' not in str(error.value)
