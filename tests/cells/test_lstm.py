"""The stacked LSTM against its equations in double precision, and numbers worked by hand."""

import functools

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax.cells import lstm
from tests.cells import random_numbers
from tests.oracles import lstm as oracle

INPUTS, ADDRESSES = 10, 7


@pytest.mark.parametrize('layers', [1, 3])
def test_steps_are_the_equations(layers):
  rng, module = np.random.default_rng(layers), lstm.Lstm(outputs=3, layers=layers, units=4)
  with jax.enable_x64(True):
    params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
    state = expected = random_numbers.tree(rng, module.initial_state(ADDRESSES))
    apply = jax.jit(module.apply)
    for x_t in rng.normal(size=(8, INPUTS)):
      state, shown = apply({'params': params}, state, x_t)
      expected, logits = oracle.step(params, expected, x_t)
      np.testing.assert_allclose(shown.output, logits, atol=1e-12)
      for found, wanted in zip(state, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_update_by_hand():
  """Gates of 0 let half through: c = (0 + 2 * 1) / 2 with g = tanh(0) = 0, h = tanh(1) / 2."""
  hidden, cell = lstm.update(jnp.zeros(4), jnp.array([2.]))
  np.testing.assert_allclose([hidden[0], cell[0]], [np.tanh(1) / 2, 1], rtol=1e-6)


def test_open_gates_keep_and_closed_gates_forget():
  """Forget gate open and input gate closed keeps the cell; both closed empties it."""
  kept = lstm.update(jnp.array([-99., 99., 0., 5.]), jnp.array([.7]))[1]
  emptied = lstm.update(jnp.array([-99., -99., 0., 5.]), jnp.array([.7]))[1]
  np.testing.assert_allclose([kept[0], emptied[0]], [.7, 0], atol=1e-6)


def test_the_papers_size_and_no_memory():
  """Section 5.4: three layers of 512 units."""
  module = lstm.Lstm(outputs=8)
  shapes = jax.eval_shape(lambda: module.init(
      jax.random.key(0), module.initial_state(30), jnp.zeros(INPUTS)))['params']
  assert {name: layer['kernel'].shape for name, layer in shapes.items()} == {
      'layer_0_below': (INPUTS, 2048), 'layer_1_below': (512, 2048), 'layer_2_below': (512, 2048),
      **{f'layer_{n}_before': (512, 2048) for n in range(3)}, 'output': (512, 8)}
  _, shown = jax.eval_shape(
      module.apply, {'params': shapes}, module.initial_state(30), jnp.zeros(INPUTS))
  assert shown.read is None
  assert shown.write is None


@pytest.mark.parametrize('sizes', [{'layers': 0}, {'units': 0}])
def test_no_layer_or_no_unit_is_an_error(sizes):
  with pytest.raises(errors.UserError, match='is 0; it must be at least 1'):
    lstm.Lstm(**sizes)


class Stepwise(lstm.Lstm):
  """Without what the LSTM does differently from other cells."""
  layer_by_layer = None


STEPS, BATCH = 6, 3
LENGTHS = np.array([6, 4, 1])


def layer_by_layer(module, *args, **options):
  return module.unroll(*args, **options)


def step_by_step(module, *args, **options):
  """The reference: `__call__`, by the scan that every other cell has."""
  return Stepwise(*(getattr(module, name) for name in ('outputs', 'layers', 'units'))).unroll(
      *args, **options)


@functools.cache
def drawn():
  """A cell, its parameters, a state and inputs [B, T, X], and weights for everything shown."""
  rng, module = np.random.default_rng(1), lstm.Lstm(outputs=3, layers=3, units=4)
  draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
  params = jax.tree.map(np.float32, random_numbers.params(rng, module, ADDRESSES, INPUTS))
  state = lstm.State(draw(3, 4), draw(3, 4))
  weights = lstm.State(draw(BATCH, 3, 4), draw(BATCH, 3, 4)), draw(BATCH, STEPS, 3)
  return module, params, state, draw(BATCH, STEPS, INPUTS), weights


def run(unroll, lengths, skip_padding=False):
  """Last states, answers, and the gradient by parameters, state and inputs of a weighted sum."""
  module, *args, (of_last, of_output) = drawn()

  def total(params, state, inputs):
    one = lambda x, n: unroll(module, params, state, x, n, skip_padding=skip_padding)
    last, steps = jax.vmap(one)(inputs, lengths)
    valid = np.arange(STEPS) < lengths[:, None]
    output = jnp.where(valid[..., None], steps.output, 0)
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), (last, output), (of_last, of_output))
    return sum(jax.tree.leaves(products)), (last, output)

  return jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2), has_aux=True))(*args)


def assert_close(found, wanted):
  """Within float32 rounding: the two sum in other orders."""
  chex.assert_trees_all_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('skip_padding', [False, True])
@pytest.mark.parametrize('most', [STEPS, 4, 0])
def test_layer_by_layer_is_step_by_step(most, skip_padding):
  """Values and gradients of a padded batch; leaving padding out changes neither."""
  lengths = np.minimum(LENGTHS, most)
  assert_close(run(layer_by_layer, lengths, skip_padding), run(step_by_step, lengths))


@pytest.mark.parametrize('most', [4, 0])
def test_steps_of_any_cell_may_be_left_out(most):
  """The same of the scan that every other cell has."""
  lengths = np.minimum(LENGTHS, most)
  assert_close(run(step_by_step, lengths, skip_padding=True), run(step_by_step, lengths))


def test_what_is_collected_sees_the_state_that_a_step_left():
  """What `Model.trace` asks for."""
  module, params, state, inputs, _ = drawn()
  collect = lambda state_t, step: step._replace(memory=state_t.cell)
  found, wanted = (
      unroll(module, params, state, inputs[0], LENGTHS[1], collect=collect,
             skip_padding=skip_padding)[1]
      for unroll, skip_padding in ((layer_by_layer, True), (step_by_step, False)))
  assert found.memory.shape == (STEPS, 3, 4)
  assert_close(found.memory[:LENGTHS[1]], wanted.memory[:LENGTHS[1]])
  assert_close(found.output[:LENGTHS[1]], wanted.output[:LENGTHS[1]])


@pytest.mark.parametrize('skip_padding', [False, True])
def test_a_population_has_the_gradients_of_its_models(skip_padding):
  """Kernels with an axis K, sequences with an axis B within it, as in training."""
  module, params, state, inputs, _ = drawn()

  def loss(params, inputs):
    one = lambda x, n: module.unroll(params, state, x, n, skip_padding=skip_padding)[1].output
    valid = np.arange(STEPS) < LENGTHS[:, None]
    return jnp.sum(jnp.where(valid[..., None], jax.vmap(one)(inputs, LENGTHS), 0)**2)

  two = jax.tree.map(lambda leaf: np.stack([leaf, -leaf]), (params, inputs))
  together = jax.jit(jax.vmap(jax.grad(loss)))(*two)
  for k in range(2):
    alone = jax.jit(jax.grad(loss))(*jax.tree.map(lambda leaf: leaf[k], two))  # noqa: B023
    assert_close(jax.tree.map(lambda leaf: leaf[k], together), alone)  # noqa: B023


@pytest.mark.parametrize('skip_padding', [False, True])
def test_no_batch_of_kernels_is_computed(skip_padding):
  """The gradient of a kernel that a batch shares is one product, not one for each sequence."""
  module, params, state, inputs, _ = drawn()
  one = lambda params, x, n: module.unroll(
      params, state, x, n, skip_padding=skip_padding)[1].output
  loss = lambda params: jnp.sum(jax.vmap(one, (None, 0, 0))(params, inputs, LENGTHS))
  program = jax.jit(jax.grad(loss)).lower(params).as_text()
  for rows in (INPUTS, 4):
    assert f'tensor<{rows}x16xf32>' in program
    assert f'tensor<{BATCH}x{rows}x16xf32>' not in program


def test_steps_left_out_read_no_kernel():
  """One number of steps for the whole batch, in each layer's loop forwards and backwards."""
  module, params, state, inputs, _ = drawn()

  def loss(params, lengths):
    one = lambda x, n: module.unroll(params, state, x, n, skip_padding=True)[1].output
    return jnp.sum(jax.vmap(one)(inputs, lengths))

  params, state = jax.tree.map(jnp.array, (params, state))
  program = jax.make_jaxpr(jax.grad(loss))(params, LENGTHS)
  loops = [equation for equation in program.eqns if equation.primitive.name == 'while']
  assert len(loops) == 2 * module.layers
  assert all(loop.params['cond_jaxpr'].out_avals[0].shape == () for loop in loops)


@pytest.mark.parametrize('argument', range(3), ids=['parameters', 'inputs', 'state'])
def test_a_second_derivative_of_a_linear_loss_is_an_error_not_zero(argument):
  """What the backward pass is given has no derivative then; what it has stored never has one."""
  module = lstm.Lstm(layers=2, units=3)
  state, inputs = module.initial_state(4), jax.random.normal(jax.random.key(1), (STEPS, INPUTS))
  params = module.init(jax.random.key(0), state, inputs[0])['params']

  def total(params, inputs, state, skip_padding):
    _, hidden = module.unroll(params, state, inputs, jnp.int32(STEPS), skip_padding=skip_padding,
                              collect=lambda state_t, _: state_t.hidden)
    return hidden.sum()
  plain = jax.hessian(total, argument)(params, inputs, state, False)
  assert sum(float(jnp.abs(leaf).sum()) for leaf in jax.tree.leaves(plain)) > .1
  with pytest.raises(errors.UserError, match='can be taken once'):
    jax.hessian(total, argument)(params, inputs, state, True)


class Doubled(lstm.Lstm):
  """A step of its own."""

  @nn.compact
  def __call__(self, state_tm1, x_t):
    state_t, step = super().__call__(state_tm1, x_t)
    return state_t, step._replace(output=2 * step.output)


class Negative(lstm.Lstm):
  """An answer of its own."""

  def answer(self, z_t, hidden=0):
    return -super().answer(z_t, hidden)


class AnswersTwice:
  """What a class that is mixed in answers."""

  def answer(self, z_t, hidden=0):
    return 2 * super().answer(z_t, hidden)


class Mixed(AnswersTwice, lstm.Lstm):
  """No step of its own in its own body."""


class Layered(AnswersTwice, lstm.Lstm):
  """It says again how a phase is run, and is believed."""
  layer_by_layer = lstm.Lstm.layer_by_layer


def test_who_says_again_how_a_phase_is_run_is_believed():
  assert (Mixed.layer_by_layer, Layered.layer_by_layer) == (None, lstm.Lstm.layer_by_layer)


@pytest.mark.parametrize('kind', [Doubled, Negative, Mixed])
def test_who_has_a_step_of_its_own_does_not_run_as_the_lstm(kind):
  module = kind(outputs=2, layers=1, units=3)
  state, inputs = module.initial_state(4), jax.random.normal(jax.random.key(1), (STEPS, INPUTS))
  params = module.init(jax.random.key(0), state, inputs[0])['params']
  run = lambda skip: module.unroll(params, state, inputs, jnp.int32(STEPS), skip_padding=skip)[1]
  np.testing.assert_allclose(run(True).output, run(False).output, rtol=1e-6)
  assert jnp.abs(run(False).output).min() > 0


def test_a_way_over_a_phase_is_not_a_cells_to_say():
  with pytest.raises(TypeError, match='has an unroll of its own; say what a step does'):
    type('Mine', (lstm.Lstm,), {'unroll': lambda self: None})
