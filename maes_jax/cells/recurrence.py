"""How a step runs over a sequence, forward and back."""

from collections.abc import Callable, Mapping
import functools
from typing import Any

import chex
from flax import traverse_util
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax.cells import dense

# (variables, state_{t-1}, x_t [X], valid_t [], mutable=()) -> ((state_t, shown_t), mutated)
Step = Callable[..., tuple[tuple[Any, Any], Mapping]]


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]],
    state: Any,
    scanned: Any,  # leaves [T, ...]
    steps: chex.Array | None = None,  # []
    reverse: bool = False,
) -> tuple[Any, Any]:
  """`lax.scan` over the first `steps` of T; the others take no time and show zeros.

  JAX finds no derivative of it where `steps` is given: see `run`.
  """
  if steps is None:
    return lax.scan(step, state, scanned, reverse=reverse)

  def body(i, carry):
    state, shown = carry
    t = steps - 1 - i if reverse else i
    state, shown_t = step(state, jax.tree.map(lambda leaf: leaf[t], scanned))
    return state, jax.tree.map(lambda leaf, leaf_t: leaf.at[t].set(leaf_t), shown, shown_t)

  _, shown = jax.eval_shape(functools.partial(lax.scan, step), state, scanned)
  return lax.fori_loop(0, steps, body, (state, _zeros(shown)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def run(
    step: Step,
    params: Mapping,
    state: Any,
    inputs: chex.Array,  # [T, X]
    valid: chex.Array | None,  # [T]
    steps: chex.Array | None = None,  # []
) -> tuple[Any, Any]:
  """Runs the step of a Flax module over a sequence: the last state and what every step shows.

  The backward pass computes a step again instead of storing its parts, and the gradients of its
  layers (`dense.Dense`) once for all steps: JAX's own would add a step's up to those of the last,
  which reads and writes all parameters at each.
  """
  return scan(_forward(step, params), state, (inputs, valid), steps)


def _forward(step, params):
  return lambda state_tm1, scanned: step({'params': params}, state_tm1, *scanned)[0]


def _run(step, params, state, inputs, valid, steps):
  """`run`, and what its derivative needs."""
  forward = _forward(step, params)

  def keep(state_tm1, scanned):
    state_t, shown = forward(state_tm1, scanned)
    return state_t, (shown, state_tm1)

  last, (shown, states_tm1) = scan(keep, state, (inputs, valid), steps)
  return (last, shown), (params, states_tm1, inputs, valid, steps)


def _pull_back(step, stored, d_results):
  """The derivative of `run`."""
  params, states_tm1, inputs, valid, steps = stored
  added = _added(step, params, states_tm1, inputs, valid)
  others = dense.without(params, added)

  def back(carry, scanned):
    d_state_t, d_others = carry
    state_tm1, x_t, valid_t, d_shown = scanned

    def again(others, added, state_tm1, x_t):
      variables = {'params': _with(params, others), dense.ADDED: added}
      return step(variables, state_tm1, x_t, valid_t, mutable=(dense.SEEN,))

    _, pull_back, mutated = jax.vjp(again, others, added, state_tm1, x_t, has_aux=True)
    d_others_t, d_added, d_state_tm1, d_x_t = pull_back((d_state_t, d_shown))
    d_others = jax.tree.map(jnp.add, d_others, d_others_t)
    return (d_state_tm1, d_others), (mutated.get(dense.SEEN, {}), d_added, d_x_t)

  d_last, d_shown = d_results
  (d_state, d_others), (seen, d_added, d_inputs) = scan(
      back, (d_last, _zeros(others)), (states_tm1, inputs, valid, d_shown), steps, reverse=True)
  d_params = traverse_util.unflatten_dict(d_others | dense.gradients(params, seen, d_added))
  return d_params, d_state, d_inputs, None, None


run.defvjp(_run, _pull_back)


def _added(step, params, *scanned):
  """Zeros to add to the results of the layers that a step calls."""
  first = jax.tree.map(lambda leaf: leaf[0], scanned)
  _, mutated = jax.eval_shape(
      functools.partial(step, mutable=(dense.ADDED,)), {'params': params}, *first)
  return _zeros(mutated.get(dense.ADDED, {}))


def _with(params, others):
  return traverse_util.unflatten_dict(traverse_util.flatten_dict(params) | others)


def _zeros(shapes):
  return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
