"""How a step runs over a sequence: all that recurrences have for speed alone is in this file.

`scan` takes a step over a sequence in one of two ways, with the same results:
  * all steps, by `lax.scan`: differentiable in every way that JAX knows, any number of times;
  * the first `num_steps`, a number that is data: what comes later takes no time. Its derivative is
    written out, for reverse mode, once: `grad`, `vjp` and `jacrev`, under any `vmap` and `jit`.
"""

from collections.abc import Callable
import functools
from typing import Any

import chex
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import errors
from maes_jax import precision
from maes_jax import varying

# (params, state_{t-1}, scanned_t) -> (state_t, shown_t); it closes over no array.
Step = Callable[[Any, Any, Any], tuple[Any, Any]]


def scan(
    step: Step,
    params: Any,
    state: Any,
    scanned: Any,  # leaves [T, ...]
    num_steps: chex.Array | None = None,  # []
) -> tuple[Any, Any]:
  """Runs a step over a sequence: the last state, and what every step shows.

  A step is worked out again in the backward pass: storing all its parts takes longer. Gradients by
  the parameters are added up in float32 at least: in less, a sum over many steps stands still.

  Args:
    step: what is done T times.
    params: its parameters.
    state: before the first step.
    scanned: what each step gets.
    num_steps: how many to do; the others show zeros. None: all.
  """
  params, rounded = precision.summed(params)
  as_given = lambda params, state, x_t: step(rounded(params), state, x_t)
  state = varying.like(state, (params, scanned))
  if num_steps is None:
    body = jax.checkpoint(as_given, prevent_cse=False)
    return lax.scan(functools.partial(body, params), state, scanned)
  # Devices that share data have the gradients of their own part here, and add them up outside.
  return _first_steps(as_given, varying.like(params, (state, scanned)), state, scanned, num_steps)


@jax.custom_batching.custom_vmap
def longest(steps: chex.Array) -> chex.Array:
  """How many steps a loop must do: as many as are there or, under `vmap`, in the longest sequence.

  One number for the whole batch: a loop of as many steps as there are in each sequence would have
  all of them go round for each.
  """
  return steps


@longest.def_vmap
def _over_a_batch(unused_size, unused_batched, steps):
  return steps.max(initial=0), False


@jax.custom_batching.custom_vmap
def own(steps: chex.Array) -> chex.Array:
  """The same; an error where a batch has several such numbers."""
  return steps


@own.def_vmap
def _of_one(size, unused_batched, steps):
  if size > 1:
    raise errors.UserError('sequences of a batch are not alone; leave `alone` out')
  return steps.max(initial=0), False


def first_steps(
    step: Callable[[Any, Any], tuple[Any, Any]],
    state: Any,
    scanned: Any,  # leaves [T, ...]
    num_steps: chex.Array,  # []
    reverse: bool = False,
) -> tuple[Any, Any]:
  """`lax.scan` over the first `num_steps` of T; the others take no time and show zeros.

  JAX finds no derivative of it in reverse mode.
  """

  def body(i, carry):
    state, shown = carry
    t = num_steps - 1 - i if reverse else i
    state, shown_t = step(state, jax.tree.map(lambda leaf: leaf[t], scanned))
    put = lambda leaf, leaf_t: (  # The derivative of what has none, a mask, cannot be put anywhere.
        leaf if leaf.dtype == jax.dtypes.float0 else leaf.at[t].set(leaf_t))
    return state, jax.tree.map(put, shown, shown_t)

  _, shown = jax.eval_shape(functools.partial(lax.scan, step), state, scanned)
  start = state, varying.zeros(shown, (state, scanned))
  if not len(jax.tree.leaves(scanned)[0]):  # Then there is no leaf[t], not even for the compiler.
    return start
  return lax.fori_loop(0, num_steps, body, start)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _first_steps(step, params, state, scanned, num_steps):
  return first_steps(functools.partial(step, params), state, scanned, num_steps)


def _forward(step, params, state, scanned, num_steps):
  """`_first_steps`, and what its derivative needs."""

  def keep(state_tm1, scanned_t):
    state_t, shown_t = step(params, state_tm1, scanned_t)
    return state_t, (shown_t, state_tm1)

  last, (shown, states_tm1) = first_steps(keep, state, scanned, num_steps)
  return (last, shown), (params, states_tm1, scanned, num_steps)


def _backward(step, stored, d_results):
  """The derivative of `_first_steps`, from the last step to the first."""
  (params, states_tm1, scanned, num_steps), (d_last, d_shown) = once((stored, d_results))

  def back(carry, scanned_t):
    d_state_t, d_params = carry
    state_tm1, x_t, d_shown_t = scanned_t
    _, pull_back = jax.vjp(step, params, state_tm1, x_t)
    d_params_t, d_state_tm1, d_x_t = pull_back((d_state_t, d_shown_t))
    return (d_state_tm1, jax.tree.map(jnp.add, d_params, d_params_t)), d_x_t

  start = d_last, varying.zeros(params, (params, states_tm1, scanned, d_shown))
  (d_state, d_params), d_scanned = first_steps(
      back, start, (states_tm1, scanned, d_shown), num_steps, reverse=True)
  return d_params, d_state, d_scanned, None


_first_steps.defvjp(_forward, _backward)


@jax.custom_jvp
def once(tree: Any) -> Any:
  """The tree as it is; an error that says what to do where it is differentiated a second time."""
  return tree


@once.defjvp
def _twice(primals, tangents):
  raise errors.UserError('with `skip_padding` a derivative can be taken once, in reverse mode; '
                         'leave it out for forward mode and higher derivatives')
