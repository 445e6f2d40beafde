"""Dynamic N-grams: estimates against counts in plain Python, and the law of the tables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import tasks
from maes_jax.tasks import ngrams
from tests.oracles import streams as oracle
from tests.tasks import stream


@pytest.mark.parametrize('order, padded', [(2, 40), (6, 90)])
def test_estimates_are_those_of_counts(order, padded):
  task = ngrams.dynamic_ngrams(order=order)
  for episode in stream.episodes(task, padded=padded):
    bits = oracle.dynamic_ngrams(stream.steps(task, episode), order)
    assert len(bits) == episode.length - 1
    assert episode.mask.sum() == episode.length - order + 1
    stream.assert_nothing_in_padding(episode)


def stream_bits(count, length, order):
  """Bits [count, length] of one context's table; each row an episode."""
  task = ngrams.dynamic_ngrams(order=order)
  draw = jax.jit(jax.vmap(lambda key: tasks.sample(task, key, length, length)))
  program = draw(jax.random.split(jax.random.key(0), count)).program
  return np.concatenate([phase.inputs[:, 1:, 2] for phase in program], axis=1)


def test_tables_are_of_beta_one_half():
  """The share of ones in a context, over episodes: mean 1/2, variance 1/8, mass at both ends."""
  bits = stream_bits(2000, 400, 2)
  after_one = np.array([row[1:][row[:-1] == 1].mean() for row in bits if row[:-1].sum() >= 30])
  share = np.mean((after_one < .1) | (after_one > .9))
  # Of the arcsine law 2 * 2/pi * asin(sqrt(.1)) = 0.41 lie there, of a uniform one 0.2.
  assert len(after_one) > 1000 and share > .33
  assert abs(bits[:, 50:].mean() - .5) < .03


def test_the_loss_is_relative_entropy():
  kind = ngrams.Chance()
  logits, targets = np.linspace(-3, 3, 7), np.linspace(.05, .95, 7)
  chance = 1 / (1 + np.exp(-logits))
  wanted = targets * np.log(targets / chance) + (1 - targets) * np.log((1 - targets) / (1 - chance))
  with jax.enable_x64(True):
    np.testing.assert_allclose(kind.losses(logits, targets), wanted, rtol=1e-9, atol=1e-12)
  np.testing.assert_allclose(kind.losses(jnp.log(.25 / .75), jnp.float32(.25)), 0, atol=1e-7)


def test_no_number_on_the_way_to_the_loss_is_undefined():
  """Step by step, as JAX goes through it to find such numbers; padding has targets of 0."""
  kind, logits = ngrams.Chance(), jnp.linspace(-3, 3, 7)
  with jax.debug_nans(True):
    for bit in (0., 1.):
      losses = kind.losses(logits, jnp.full(7, bit))
      np.testing.assert_allclose(losses, np.log1p(np.exp(np.linspace(-3, 3, 7) * (1 - 2 * bit))),
                                 rtol=1e-6)
      slopes = jax.grad(lambda logits, bit=bit: kind.losses(logits, jnp.full(7, bit)).sum())(logits)
      np.testing.assert_allclose(slopes, jax.nn.sigmoid(logits) - bit, atol=1e-6)


def test_its_gradient_is_on_average_that_of_the_bits_that_come():
  """At the optimum both vanish, elsewhere they are chance - estimate."""
  kind, logit, estimate = ngrams.Chance(), jnp.float32(.7), jnp.float32(.3)
  of_bits = jax.grad(lambda logit: sum(
      share * kind.losses(logit, jnp.float32(bit)) for bit, share in ((1, .3), (0, .7))))
  np.testing.assert_allclose(jax.grad(kind.losses)(logit, estimate), of_bits(logit), rtol=1e-5)


def test_right_is_within_the_tolerance():
  kind = ngrams.Chance(.1)
  logits = jnp.log(jnp.array([.25, .35, .45]) / (1 - jnp.array([.25, .35, .45])))
  assert kind.right(logits, jnp.float32(.34)).tolist() == [True, True, False]


@pytest.mark.parametrize('make, words', [
    (lambda: ngrams.dynamic_ngrams(order=1), 'order: 1; .* of 2 to 1,073,741,824'),
    (lambda: ngrams.dynamic_ngrams(order=40), 'order: 40; it must be at most 17'),
    (lambda: ngrams.dynamic_ngrams(tolerance=0), 'tolerance of a chance is 0; .* between 0 and 1'),
    (lambda: ngrams.dynamic_ngrams(tolerance='x'), "tolerance of a chance is 'x'"),
    (lambda: tasks.sample(tasks.get('dynamic_ngrams'), jax.random.key(0), 5, 9),
     "length is 5 and task 'dynamic_ngrams' needs 6 items")])
def test_wrong_sizes_get_one_line(make, words):
  with pytest.raises(errors.UserError, match=words) as error:
    make()
  assert '\n' not in str(error.value)
