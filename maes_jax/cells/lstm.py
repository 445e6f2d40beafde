"""The stacked LSTM baseline (paper, section 5.4), a cell without a memory.

Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000, no peepholes.
"""

import functools
from typing import NamedTuple

import chex
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import varying
from maes_jax.cells import base
from maes_jax.cells import scan
from maes_jax.options import MANY
from maes_jax.options import option


class State(NamedTuple):
  """What the cell carries from one step to the next."""
  hidden: chex.Array  # h_t [layers, H]; of one layer [H]
  cell: chex.Array  # c_t [layers, H]


def update(raw: chex.Array, cell_tm1: chex.Array) -> tuple[chex.Array, chex.Array]:
  """One LSTM layer after its projection: raw gates [4 H] and c_{t-1} [H] to h_t and c_t [H].

  Source: Graves et al. 2016 (DNC), methods, controller network; there c is called s.
  """
  # i, f, o = sigma(W [x_t, h_{t-1}] + b);  g = tanh(W_g [x_t, h_{t-1}] + b_g)
  gates, candidate = jnp.split(raw, [3 * cell_tm1.size])
  input_gate, forget_gate, output_gate = jnp.split(nn.sigmoid(gates), 3)
  # c_t = f c_{t-1} + i g
  cell_t = forget_gate * cell_tm1 + input_gate * jnp.tanh(candidate)
  # h_t = o tanh(c_t)
  return output_gate * jnp.tanh(cell_t), cell_t


class Weights(NamedTuple):
  """The parameters of one layer."""
  below: chex.Array  # W_x [X, 4 H]
  before: chex.Array  # W_h [H, 4 H]
  bias: chex.Array  # b [4 H]


def run_layer(
    weights: Weights,
    inputs: chex.Array,  # [T, X]
    state: State,  # leaves [H]
    valid: chex.Array | None,  # [T]
    num_steps: chex.Array,  # []
) -> tuple[State, State]:
  """One layer over the first `num_steps`: its last state and that of every step.

  Differentiable as `scan.scan` with `num_steps` is. The derivative of a kernel is one product over
  all steps and all sequences of a batch: JAX's own would add it up step by step, which reads and
  writes a kernel's worth at each.
  """
  inputs, state = varying.like((inputs, state), weights)
  fixed = lax.stop_gradient((weights, inputs, state))
  last, (states, raw) = _forward(*fixed, valid, num_steps)
  states_tm1 = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest])[:-1],
                            fixed[-1], states)
  # Through this sum JAX finds the derivative by the weights, all else given; its value is `raw`.
  by_weights = _project(weights, fixed[1]) + states_tm1.hidden @ weights.before
  stored = fixed[0], raw, states_tm1, valid, num_steps
  return _derive(by_weights, inputs, state, (last, states), stored)


def _project(weights, inputs):
  """W_x x_t + b of every step [T, 4 H]."""
  return inputs @ weights.below + weights.bias[None]


def _forward(weights, inputs, state, valid, num_steps):
  def step(state_tm1, scanned):
    projected_t, valid_t = scanned
    # W [x_t, h_{t-1}] + b = (W_x x_t + b) + W_h h_{t-1}
    raw_t = projected_t + state_tm1.hidden @ weights.before
    state_t = _end_step(valid_t, raw_t, state_tm1)
    return state_t, (state_t, raw_t)

  return scan.first_steps(step, state, (_project(weights, inputs), valid), num_steps)


def _end_step(valid_t, raw_t, state_tm1):
  """What follows the products in a step; no parameters are in it."""
  return base.where(valid_t, State(*update(raw_t, state_tm1.cell)), state_tm1)


@jax.custom_vjp
def _derive(raw, inputs, state, results, stored):
  """The results, with their derivative by raw gates [T, 4 H], inputs [T, X] and first state."""
  del raw, inputs, state, stored
  return results


def _pull_back(stored, d_results):
  """Only what step t needs of step t + 1 is computed in a loop."""
  # All that was differentiated by goes through `once`, too: what is stored has no derivative, and
  # d_results has none where a loss is linear.
  (_, stored), (d_last, d_shown) = scan.once((stored, d_results))
  weights, raw, states_tm1, valid, num_steps = stored

  def step(d_state_t, scanned):
    raw_t, state_tm1, valid_t, d_shown_t = scanned
    _, pull_back = jax.vjp(functools.partial(_end_step, valid_t), raw_t, state_tm1)
    d_raw_t, d_state_tm1 = pull_back(jax.tree.map(jnp.add, d_state_t, d_shown_t))
    # dh_{t-1} += W_h^T draw_t, in the order in which XLA:CPU reads the kernel as it lies
    d_hidden = d_state_tm1.hidden + weights.before @ d_raw_t
    return d_state_tm1._replace(hidden=d_hidden), d_raw_t

  d_state, d_raw = scan.first_steps(
      step, d_last, (raw, states_tm1, valid, d_shown), num_steps, reverse=True)
  # dx_t = W_x^T draw_t. XLA:CPU repacks a kernel that is transposed, at several times the cost of
  # the product; without the barrier it turns this order back.
  d_inputs = lax.optimization_barrier(weights.below @ d_raw.T).T
  return d_raw, d_inputs, d_state, None, None


_derive.defvjp(lambda raw, inputs, state, results, stored: (
    results, ((raw, inputs, state), stored)), _pull_back)


class Lstm(base.Cell):
  """Layers of LSTM units, each layer fed by the one below.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    layers: how many LSTM layers lie on top of each other.
    units: H, units per layer.
  """
  layers: int = option(3, minimum=1, maximum=MANY)
  units: int = option(512, minimum=1)

  def initial_state(self, addresses: int) -> State:
    """Zeros; there is no memory, so `addresses` changes nothing."""
    del addresses
    return State(*jnp.zeros((2, self.layers, self.units), jnp.float32))

  def features(self, state: State) -> chex.Array:
    """h_t of the layer on top [H]."""
    return state.hidden[-1]

  @nn.compact
  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, base.Step]:
    """One time step on the input x_t [X]; see `update` for the equations."""
    below_t, layers_t = x_t, []
    for layer, (hidden_tm1, cell_tm1) in enumerate(zip(*state_tm1)):
      raw_t = (nn.Dense(4 * self.units, name=_below(layer))(below_t) +
               nn.Dense(4 * self.units, use_bias=False, name=_before(layer))(hidden_tm1))
      layers_t.append(update(raw_t, cell_tm1))
      below_t = layers_t[-1][0]
    step = base.Step(self.answer(below_t), read=None, write=None)
    return State(*map(jnp.stack, zip(*layers_t))), step

  def layer_by_layer(self, params, state, inputs, valid, collect, num_steps):
    """The same as one step after the other, one layer after the other.

    The inputs of all steps then go through a layer's kernel in one product, and a step reads only
    the part that h_{t-1} needs: reading kernels is what the time of a step goes to.
    """
    below, last, states = inputs, [], []
    for layer, start in enumerate(zip(*state)):
      weights = Weights(params[_below(layer)]['kernel'], params[_before(layer)]['kernel'],
                        params[_below(layer)]['bias'])
      end, of_steps = run_layer(weights, below, State(*start), valid, num_steps)
      below = of_steps.hidden
      last.append(end)
      states.append(of_steps)
    answers = base.Step(self._answer(params, below), read=None, write=None)
    return _stack(last, axis=0), jax.vmap(collect)(_stack(states, axis=1), answers)

  def _answer(self, params, hidden):
    """The output layer on the hidden units of all steps [T, H]."""
    if not self.outputs:
      return None
    return hidden @ params['output']['kernel'] + params['output']['bias'][None]


def _below(layer):
  return f'layer_{layer}_below'


def _before(layer):
  return f'layer_{layer}_before'


def _stack(states, axis):
  return State(*jax.tree.map(lambda *leaves: jnp.stack(leaves, axis), *states))
