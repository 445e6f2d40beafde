"""What steps on gradients: Adam or a user's own, on what is not frozen, where all is finite."""

from collections.abc import Callable, Collection
import functools
from typing import TypeAlias

import chex
import jax
import jax.numpy as jnp
import optax

from maes_jax import errors
from maes_jax import families
from maes_jax.config import Config
from maes_jax.encoder_solver import Params
from maes_jax.training import adam
from maes_jax.training import skipping

# An optimizer of one's own, or what makes it from a config. None: clipped gradients and Adam.
Optimizer: TypeAlias = (
    optax.GradientTransformation | Callable[[Config], optax.GradientTransformation] | None)

HALVINGS = 5
TOO_MANY = 100  # Updates skipped in a row from which on a model counts as failed.
_WRITTEN = 'give an Optax transformation, e.g. optax.sgd(.1), or a function from a config to one'


def make(
    config: Config, params: Params, frozen: Collection[str], own: Optimizer = None,
) -> optax.GradientTransformation:
  """The optimizer of one model.

  It stands inside the freezing transform: it never sees a frozen gradient, and the frozen
  parameters have no optimizer state. A gradient that is not finite is skipped and counted:
  parameters and the optimizer's state stay as they were.

  Args:
    config: the training run.
    params: only their structure, shapes and dtypes are used.
    frozen: top-level keys of `params` that stay as they are.
    own: instead of that of the model's family: Adam on clipped gradients, for most. Its update may
      ask for the loss as `value`.

  Raises:
    UserError: `own` is no optimizer, or one that cannot be used here.
  """
  made = errors.pick('optimizer', families.get(config.model).optimizer, NAMES)
  trained = made(config) if own is None else skipping.wrap(_from_user(own, config))
  if own is not None:
    _check_steps(trained, params)
  return optax.selective_transform(trained, freeze_mask=mask(params, frozen))


def _from_user(own, config):
  is_one = isinstance(own, optax.GradientTransformation)
  made = own if is_one or not callable(own) else _made(own, config)
  if not isinstance(made, optax.GradientTransformation):
    raise errors.UserError(f'the optimizer is {errors.shortened(made)}; {_WRITTEN}')
  return made


def _made(own, config):
  try:
    return own(config)
  except TypeError as error:  # As of optax.adam, which wants a learning rate and not a config.
    raise errors.UserError(f'the optimizer {errors.shortened(own)} makes nothing of a config '
                           f'({errors.shortened(error, 120)}); {_WRITTEN}') from error


def _check_steps(transform, params):
  """Whether it makes updates of what it is given, and its state can be saved."""
  try:
    state = jax.eval_shape(transform.init, params)
    jax.eval_shape(lambda *args: transform.update(*args, value=jnp.float32(0)),
                   params, state, params)
  except (AttributeError, TypeError, ValueError) as error:
    raise errors.UserError(
        f'the optimizer makes no update of gradients, its state, parameters and value, the loss '
        f'({errors.shortened(error, 120)}); give one that needs nothing else') from error
  if any(jnp.issubdtype(leaf.dtype, jax.dtypes.extended) for leaf in jax.tree.leaves(state)):
    raise errors.UserError('the state of the optimizer has random keys in it, which no checkpoint '
                           'keeps; give one without, or with jax.random.key_data of them')


def _adam(config):
  return adam.make(learning_rate(config), config.b2, config.clip)


def _rmsprop(config):
  """As Keras has it, on gradients as they are: no `clip` (Tieleman and Hinton 2012)."""
  return skipping.wrap(optax.rmsprop(
      learning_rate(config), decay=config.b2, eps=1e-7, eps_in_sqrt=False))


NAMES = {'adam': _adam, 'rmsprop': _rmsprop}  # Of a family's optimizer.


def skipped(state: optax.OptState) -> chex.Array:
  """How many updates were skipped so far; [] for one model, [K] for a population."""
  return _counters(state).skipped


def failed(state: optax.OptState) -> chex.Array:
  """Whether so many updates in a row were skipped that more will not help; [] or [K]."""
  return _counters(state).skipped_in_a_row >= TOO_MANY


def with_skipped(state: optax.OptState, count: chex.Array) -> optax.OptState:
  """The same state, by which so many updates were skipped so far."""
  return jax.tree.map(lambda node: node._replace(skipped=count) if _counts(node) else node, state,
                      is_leaf=_counts)


def _counters(state) -> skipping.Skipping | adam.State:
  return next(filter(_counts, jax.tree.leaves(state, is_leaf=_counts)))


def _counts(node):
  return isinstance(node, skipping.Skipping | adam.State)


def learning_rate(config: Config) -> optax.Schedule:
  """Rises from 0 in `warmup` iterations; halves every `half_life` once lengths are full.

  It halves `HALVINGS` times at most, so that a model that learns late still moves.
  """
  rise = optax.linear_schedule(0, 1, config.warmup) if config.warmup else lambda count: 1.
  fall = optax.exponential_decay(
      config.learning_rate, config.half_life, 0.5, transition_begin=config.full_range_from,
      end_value=config.learning_rate / 2**HALVINGS)
  return lambda count: rise(count) * fall(count)


def mask(params: Params, prefixes: Collection[str]):
  """A tree like `params`, True below the top-level keys in `prefixes`."""
  return {key: jax.tree.map(functools.partial(_constant, key in prefixes), tree)
          for key, tree in params.items()}


def _constant(value, unused_leaf):
  return value


def stop_gradients(params: Params, frozen: Collection[str]) -> Params:
  """The same parameters; nothing is differentiated with respect to the frozen ones."""
  return {key: jax.lax.stop_gradient(tree) if key in frozen else tree
          for key, tree in params.items()}
