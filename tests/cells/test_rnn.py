"""The cells as Flax's own: `nn.RNN`, lifted transformations, modules of other people."""

import functools

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import cells
from maes_jax import errors
from maes_jax import precision
from maes_jax.cells import base
from tests.training import tiny

STEPS, INPUTS, ADDRESSES = 5, 3, 6
LENGTHS = np.array([5, 2, 4])


def wrapping(kind, **sizes):
  """What makes a `cells.RNNCell` round a cell of that kind."""
  return lambda **options: cells.RNNCell(kind(**sizes, **options), ADDRESSES)


MADE = {
    'maes': functools.partial(cells.MAES, addresses=ADDRESSES, width=3, units=2),
    'ntm': functools.partial(cells.NTM, addresses=ADDRESSES, width=3, units=2, read_heads=2),
    'dnc': functools.partial(cells.DNC, addresses=ADDRESSES, width=3, units=2, read_heads=2),
    'lstm': functools.partial(cells.LSTM, layers=2, units=3),
    # Those that have no name of Flax's kind go in as a cell of one's own does.
    'maes2018': wrapping(cells.maes2018.Maes2018, width=3, units=2),
    'dwm': wrapping(cells.dwm.Dwm, width=3, units=2),
    'stack_rnn': wrapping(cells.tapes.StackRnn, width=3, units=4),
    'tape_rnn': wrapping(cells.tapes.TapeRnn, width=3, units=4),
    'gru': wrapping(cells.gru.Gru, units=4),
    'lru': wrapping(cells.lru.Lru, units=4),
    'mlstm': wrapping(cells.mlstm.Mlstm, layers=1, units=4),
    'gated_deltanet': wrapping(cells.gated_deltanet.GatedDeltaNet, layers=1, units=4),
    'mamba2': wrapping(cells.mamba2.Mamba2, layers=1, units=4),
    'transformer': wrapping(cells.transformer.Transformer, layers=1, units=4)}
# W, R W, R W, H; W of those with a memory, H or D of those without
FEATURES = {'maes': 3, 'ntm': 6, 'dnc': 6, 'lstm': 3, 'maes2018': 3, 'dwm': 3, 'stack_rnn': 3,
            'tape_rnn': 3, 'gru': 4, 'lru': 4, 'mlstm': 4, 'gated_deltanet': 4, 'mamba2': 4,
            'transformer': 4}
ANY_CELL = pytest.mark.parametrize('name', MADE)
EITHER = pytest.mark.parametrize('outputs', [0, 2])


def drawn(module, *shape):
  """Random parameters and inputs."""
  rng = np.random.default_rng(0)
  draw = lambda leaf: rng.normal(size=leaf.shape).astype(np.float32)
  inputs = draw(np.zeros((*shape, INPUTS)))
  made = jax.eval_shape(module.init, jax.random.key(0), inputs)
  assert made.keys() == {'params'}
  return jax.tree.map(draw, made), inputs


def one_by_one(cell, params, inputs, lengths):
  """Answers [B, T, Y] and last states by our own `unroll`; padding means nothing."""
  show = lambda state, step: step.output if cell.cell.outputs else cell.cell.features(state)
  run = lambda x, n: cell.cell.unroll(params, cell.cell.initial_state(ADDRESSES), x, n, show)
  return jax.jit(jax.vmap(run))(inputs, lengths)


@ANY_CELL
@EITHER
def test_a_batch_of_mixed_lengths_is_our_unroll_of_each(name, outputs):
  cell = MADE[name](outputs=outputs)
  module = nn.RNN(cell, return_carry=True)
  params, inputs = drawn(module, len(LENGTHS), STEPS)
  run = jax.jit(lambda p, x, n: module.apply(p, x, seq_lengths=n))
  carry, answers = run(params, inputs, LENGTHS)
  assert answers.shape == (len(LENGTHS), STEPS, outputs or FEATURES[name])
  last, wanted = one_by_one(cell, params['params']['cell'], inputs, LENGTHS)
  valid = np.arange(STEPS) < LENGTHS[:, None]
  np.testing.assert_allclose(answers[valid], wanted[valid], rtol=1e-5, atol=1e-6)
  jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), carry, last)


DTYPES = pytest.mark.parametrize('dtype, given, double', [
    (jnp.bfloat16, jnp.bfloat16, False), (jnp.bfloat16, jnp.float32, False),
    (jnp.float16, jnp.float32, False), (jnp.float32, jnp.float64, True)])


@ANY_CELL
@DTYPES
def test_it_answers_in_the_dtype_of_the_parameters(name, dtype, given, double):
  module = nn.RNN(MADE[name](outputs=2), return_carry=True)
  params, inputs = drawn(module, len(LENGTHS), STEPS)
  with jax.enable_x64(double):
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params)
    carry, answers = jax.eval_shape(module.apply, params, jnp.asarray(inputs, given))
  assert answers.dtype == dtype
  assert {leaf.dtype for leaf in jax.tree.leaves(carry)} == {jnp.dtype(jnp.float32)}


@DTYPES
def test_it_computes_what_our_unroll_does_in_that_dtype(dtype, given, double):
  cell = MADE['maes'](outputs=2)
  module = nn.RNN(cell)
  params, inputs = drawn(module, len(LENGTHS), STEPS)
  with jax.enable_x64(double):
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params)
    inputs = jnp.asarray(inputs, given)
    answers = jax.jit(module.apply)(params, inputs)
    wanted = one_by_one(cell, params['params']['cell'], inputs, LENGTHS * 0 + STEPS)[1]
  near = {jnp.float32: 1e-5, jnp.float16: .02, jnp.bfloat16: .15}[dtype]
  np.testing.assert_allclose(np.float32(answers), np.float32(wanted), rtol=near, atol=near)


@pytest.mark.parametrize('name', ['lru', 'mlstm', 'gated_deltanet', 'mamba2', 'transformer'])
def test_a_carry_that_was_rounded_is_refused(name):
  """What a state keeps in float32 would be rounded at every step, and nobody would hear of it."""
  module = nn.RNN(MADE[name](outputs=2))
  params, inputs = jax.tree.map(jnp.bfloat16, drawn(module, len(LENGTHS), STEPS))
  carry = module.cell.initialize_carry(jax.random.key(0), (len(LENGTHS), INPUTS))
  rounded = jax.tree.map(jnp.bfloat16, carry)
  with pytest.raises(errors.UserError, match=r'a state is in bfloat16 where it must be in float32'):
    module.apply(params, inputs, initial_carry=rounded)
  given = precision.as_params(carry, params)
  found = jax.eval_shape(functools.partial(module.apply, initial_carry=given), params, inputs)
  assert found.dtype == jnp.bfloat16


@ANY_CELL
def test_parameters_are_the_cells_own(name):
  """By the same names: those of a trained encoder or solver fit."""
  cell = MADE[name](outputs=2)
  whole = jax.eval_shape(nn.RNN(cell).init, jax.random.key(0), jnp.zeros((1, STEPS, INPUTS)))
  own = jax.eval_shape(cell.cell.init, jax.random.key(0), cell.cell.initial_state(ADDRESSES),
                       jnp.zeros(INPUTS))
  assert whole['params']['cell'] == own['params']


class Reader(nn.Module):
  """A module of a user's, with one of our cells between two layers of theirs."""
  cell: cells.RNNCell
  again: bool = False

  @nn.compact
  def __call__(self, inputs, lengths):
    rnn = nn.remat(nn.RNN) if self.again else nn.RNN
    read = rnn(self.cell)(nn.Dense(4)(inputs), seq_lengths=lengths)
    return nn.Dense(1)(read)


@pytest.mark.parametrize('name', [  # Those with a derivative or a loop of their own.
    'maes', 'ntm', 'dnc', 'lstm', 'tape_rnn', 'gated_deltanet', 'transformer'])
def test_it_is_differentiated_in_a_module_of_a_users(name):
  """Plain, and under `nn.remat`: the gradient is that through our own `unroll`."""
  cell = MADE[name]()
  module, again = Reader(cell), Reader(cell, again=True)
  rng = np.random.default_rng(1)
  inputs = rng.normal(size=(len(LENGTHS), STEPS, INPUTS)).astype(np.float32)
  made = jax.eval_shape(module.init, jax.random.key(0), inputs, LENGTHS)
  params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), made)['params']

  def by_hand(params):
    dense = lambda name, x: nn.Dense(params[name]['bias'].size).apply({'params': params[name]}, x)
    read = one_by_one(cell, params['cell'], dense('Dense_0', inputs), LENGTHS)[1]
    return dense('Dense_1', read)

  valid = np.arange(STEPS) < LENGTHS[:, None]
  gradient = lambda run: jax.jit(jax.grad(lambda p: jnp.sum(jnp.sin(run(p)[valid]))))(params)
  wanted = gradient(by_hand)
  for one in (module, again):
    found = gradient(lambda p: one.apply({'params': p}, inputs, LENGTHS))  # noqa: B023
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5),
                 found, wanted)


@pytest.mark.parametrize('batch', [(), (2,), (2, 3)], ids=str)
def test_any_number_of_batch_axes(batch):
  module = nn.RNN(MADE['ntm'](outputs=2))
  params, inputs = drawn(module, *batch, STEPS)
  found = jax.jit(module.apply)(params, inputs)
  flat = inputs.reshape(-1, STEPS, INPUTS)
  wanted = one_by_one(module.cell, params['params']['cell'], flat, np.full(len(flat), STEPS))[1]
  np.testing.assert_allclose(found, wanted.reshape(found.shape), rtol=1e-5, atol=1e-6)


def test_both_directions():
  """`nn.Bidirectional` joins answers: they must be arrays."""
  module = nn.Bidirectional(nn.RNN(MADE['maes']()), nn.RNN(MADE['ntm']()))
  params, inputs = drawn(module, len(LENGTHS), STEPS)
  shape = jax.eval_shape(lambda: module.apply(params, inputs, seq_lengths=LENGTHS)).shape
  assert shape == (len(LENGTHS), STEPS, FEATURES['maes'] + FEATURES['ntm'])


def test_a_memory_of_another_size_with_the_same_parameters():
  params, inputs = drawn(nn.RNN(MADE['maes']()), 1, STEPS)
  larger = nn.RNN(MADE['maes'](addresses=40))
  found = jax.jit(larger.apply)(params, inputs)
  np.testing.assert_allclose(found, nn.RNN(MADE['maes']()).apply(params, inputs), rtol=1e-4,
                             atol=1e-5)


def test_a_cell_of_ones_own():
  module = nn.RNN(cells.RNNCell(tiny.Tiny(outputs=2), addresses=1))
  params, inputs = drawn(module, 1, STEPS)
  assert module.apply(params, inputs).shape == (1, STEPS, 2)


class Mute(tiny.Tiny):
  """It says nothing of what it shows."""


def test_a_cell_that_has_nothing_to_show_says_what_to_do():
  module = nn.RNN(cells.RNNCell(Mute(), addresses=1))
  with pytest.raises(TypeError, match=r'Mute has outputs=0 and no features; give it outputs'):
    jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, STEPS, INPUTS)))


@pytest.mark.parametrize('addresses', [0, -1, 2.5, 'many', None])
def test_a_memory_has_addresses(addresses):
  with pytest.raises(errors.UserError, match=r'addresses is .*; it must be a whole number'):
    cells.NTM(addresses=addresses)


@pytest.mark.parametrize('make, line', [
    (lambda: cells.NTM(addresses=8, units=0), 'units is 0; it must be at least 1'),
    (lambda: cells.NTM(addresses=8, units=-1), 'units is -1; it must be at least 1'),
    (lambda: cells.NTM(addresses=8, units=2.5), 'units is 2.5; it must be int'),
    (lambda: cells.NTM(addresses=8, shift_range=-1), 'shift_range is -1; it must be at least 0'),
    (lambda: cells.DNC(addresses=8, read_heads=0), 'read_heads is 0; it must be at least 1'),
    (lambda: cells.MAES(addresses=8, line3='foo'), "unknown line3 'foo'"),
    (lambda: cells.MAES(addresses=8, gamma_bias='much'), "gamma_bias is 'much'; it must be float"),
    (lambda: cells.MAES(addresses=8, latch=float('nan')), 'latch is nan; it must be a finite'),
    (lambda: cells.LSTM(layers=10**6), 'layers is 1000000; it must be at most 100'),
    (lambda: cells.gated_deltanet.GatedDeltaNet(taps=0), 'taps is 0; it must be at least 1')])
def test_options_of_a_cell_made_directly_are_checked(make, line):
  with pytest.raises(errors.UserError, match=line):
    make()


def test_options_may_be_numpys_numbers():
  cell = cells.NTM(addresses=8, units=np.int64(3), gate_bias=np.float32(-1))
  assert (cell.cell.units, cell.cell.gate_bias) == (3, -1)


def test_they_are_flaxs_cells_and_values():
  assert isinstance(cells.NTM(addresses=3), nn.RNNCellBase)
  assert cells.NTM(addresses=3) == cells.NTM(addresses=3) != cells.NTM(addresses=4)
  assert isinstance(cells.NTM(addresses=3).cell, base.Cell)


class Runs(nn.Module):
  """A module of a user's that is given two RNNs and a cell, and runs all three."""
  rnn: nn.RNN
  other: nn.RNN
  cell: base.Cell

  def __call__(self, inputs, carry=None):
    _, step = self.cell(self.cell.initial_state(ADDRESSES), inputs[0, 0])
    answers = [rnn(inputs, initial_carry=carry) for rnn in (self.rnn, self.other)]
    return sum(answers) + step.output[None, None]


@pytest.mark.parametrize('given', [False, True], ids=['first state', 'state given'])
@pytest.mark.parametrize('same', [False, True], ids=['two RNNCells', 'one RNNCell'])
@pytest.mark.parametrize('kind', [Runs, nn.remat(Runs)])
def test_one_cell_in_several_has_its_parameters_once(kind, same, given):
  """And answers and has gradients as several with the same parameters."""
  rng, make = np.random.default_rng(0), lambda: cells.maes.Maes(units=2, width=3, outputs=2)
  rnn_of = lambda cell: nn.RNN(cells.RNNCell(cell, ADDRESSES))
  inputs, cell = rng.normal(size=(2, STEPS, INPUTS)).astype(np.float32), make()
  one, another = rnn_of(cell), rnn_of(cell)
  carry = one.cell.initialize_carry(jax.random.key(0), (2, INPUTS)) if given else None
  shared = kind(one, one if same else another, cell)
  apart = Runs(rnn_of(make()), rnn_of(make()), make())
  params = jax.jit(shared.init)(jax.random.key(1), inputs, carry)['params']
  own = jax.eval_shape(cell.init, jax.random.key(0), cell.initial_state(ADDRESSES), inputs[0, 0])
  assert jax.tree.map(jnp.shape, params) == jax.tree.map(
      jnp.shape, {'rnn': {'cell': own['params']}})

  def loss(module, spread, params):
    return jnp.sum(jnp.sin(module.apply({'params': spread(params)}, inputs, carry)))
  value = lambda *given: jax.jit(jax.value_and_grad(functools.partial(loss, *given)))(params)
  everywhere = lambda params: {**params, 'other': params['rnn'], 'cell': params['rnn']['cell']}
  jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5),
               value(shared, lambda params: params), value(apart, everywhere))


def test_in_double_precision_it_is_as_smooth_as_its_gradient_says():
  with jax.enable_x64(True):
    module = nn.RNN(cells.MAES(addresses=8, units=3, width=4))
    inputs = jax.random.normal(jax.random.key(0), (2, STEPS, INPUTS), jnp.float64)
    variables = jax.tree.map(lambda leaf: leaf.astype(jnp.float64),
                             module.init(jax.random.key(1), inputs))
    total = lambda inputs: module.apply(variables, inputs).sum()
    step = jnp.zeros_like(inputs).at[0, 0, 0].set(1e-6)
    slope = (total(inputs + step) - total(inputs - step)) / 2e-6
    np.testing.assert_allclose(slope, jax.grad(total)(inputs)[0, 0, 0], rtol=1e-6)
