"""One step of Algorithm 1 against loops in double precision, and the handover."""

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import phases
from maes_jax.cells import heads
from maes_jax.cells import maes
from tests.oracles import maes as oracle

INPUTS = 10
ADDRESSES = 7


def cell(**options):
  return maes.Maes(**{'outputs': 3, 'width': 4, 'units': 2, **options})


def random_tree(rng, like):
  """Numbers of both signs everywhere: a zero bias or a zero state hides a wrong product."""
  return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), like)


def as_of_the_paper(module, params):
  """The parameters of Algorithm 1 that do the same: no weights of r_t, or a bias of e_t alone."""
  seen, width, layers = INPUTS + module.units, module.width, dict(params)
  if module.blind:
    pad = lambda kernel: np.pad(kernel, ((0, width), (0, 0))) if len(kernel) == seen else kernel
    layers = {name: {**layer, 'kernel': pad(layer['kernel'])} for name, layer in layers.items()}
  if module.overwrite:
    insert = lambda part, value: np.insert(part, [width] * width, value, axis=-1)
    kernel, bias = layers['interface']['kernel'], layers['interface']['bias']
    layers['interface'] = {'kernel': insert(kernel, 0.), 'bias': insert(bias, 1e3)}
  return layers


def random_state(rng, module):
  state = random_tree(rng, module.initial_state(ADDRESSES))
  return state._replace(attention=rng.dirichlet(np.ones(ADDRESSES)))


def init(module):
  state = module.initial_state(ADDRESSES)
  return module.init(jax.random.key(0), state, jnp.zeros(INPUTS))['params']


OPTIONS = [
    {'line3': 'write_first', 'add_activation': 'sigmoid'},
    {'line3': 'move_first', 'add_activation': 'linear'},
    {'line3': 'write_first', 'add_activation': 'linear', 'shift_range': 2, 'output_hidden': 6},
    {'line3': 'move_first', 'shift_range': 0, 'outputs': 0},
    {'line3': 'write_first', 'blind': True, 'output_hidden': 6},
    {'line3': 'move_first', 'blind': True, 'overwrite': True, 'outputs': 0, 'latch': 3.},
    {'line3': 'write_first', 'overwrite': True, 'add_activation': 'linear', 'shift_range': 2},
]


@pytest.mark.parametrize('options', OPTIONS, ids=str)
def test_step_is_algorithm_1(options):
  rng, module = np.random.default_rng(1), cell(**options)
  numbered = {k: v for k, v in options.items() if k in ('line3', 'add_activation')}
  with jax.enable_x64(True):
    shapes = jax.eval_shape(lambda: init(module))
    apply = jax.jit(module.apply)
    for _ in range(5):
      params, state, x_t = random_tree(rng, shapes), random_state(rng, module), rng.normal(size=10)
      state_t, shown = apply({'params': params}, state, x_t)
      expected, logits = oracle.step(
          as_of_the_paper(module, params), state, x_t, **numbered)
      for found, wanted in zip(state_t, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)
      if logits is None:
        assert shown.output is None
      else:
        np.testing.assert_allclose(shown.output, logits, atol=1e-12)


@pytest.mark.parametrize('line3', maes.LINE3)
def test_shown_attention_is_what_was_read_and_written(line3):
  """Reads at w_{t-1}; writes at w_{t-1} or w_t. What is shown must be what the memory saw."""
  rng, module = np.random.default_rng(2), cell(line3=line3)
  state = random_state(rng, module)._replace(memory=np.zeros((4, ADDRESSES)))
  params = random_tree(rng, jax.eval_shape(lambda: init(module)))
  state_t, shown = jax.jit(module.apply)({'params': params}, state, rng.normal(size=10))
  np.testing.assert_allclose(shown.read, state.attention[None], rtol=1e-6)
  # Into an empty memory a w^T is written: every word is a multiple of the write attention.
  share = state_t.memory / state_t.memory.sum(axis=1, keepdims=True)
  np.testing.assert_allclose(share, np.repeat(shown.write, 4, axis=0), rtol=1e-4)


def test_interface_splits_in_the_papers_order():
  """P_t = (a, e, s, gamma); zeros give sigmoid 1/2, a flat kernel and gamma = 1 + ln 2."""
  params = maes.interface(jnp.array([9., -9., 0., 0., 0., 0., 0., 0.]), 2, 'linear')
  np.testing.assert_array_equal(params.add, [9., -9.])
  np.testing.assert_array_equal(params.erase, [.5, .5])
  kernel, gamma = heads.shift(params.head)
  np.testing.assert_allclose(kernel, [1 / 3] * 3, rtol=1e-6)
  np.testing.assert_allclose(gamma, 1 + np.log(2), rtol=1e-6)


def test_first_state_is_empty_with_attention_on_address_0():
  state = cell().initial_state(ADDRESSES)
  assert not state.hidden.any()
  assert not state.memory.any()
  np.testing.assert_array_equal(state.attention, np.eye(ADDRESSES)[0])


@pytest.mark.parametrize('start', phases.STARTS)
def test_a_cell_goes_on_where_it_is_told_to(start):
  """The memory is the last cell's in any case, attention and hidden state as the start says."""
  rng, module = np.random.default_rng(3), cell()
  last, before = random_state(rng, module), random_state(rng, module)
  first = module.initial_state(ADDRESSES)
  (handed, _), (_, own) = module.hand_over(last), module.hand_over(before)
  taken = module.take_over(handed, own, start)
  attention, hidden = {
      phases.RESUME: (before.attention, before.hidden),
      phases.RESTART: (first.attention, first.hidden),
      phases.HANDOVER: (last.attention, first.hidden)}[start]
  np.testing.assert_array_equal(taken.memory, last.memory)
  np.testing.assert_array_equal(taken.attention, attention)
  np.testing.assert_array_equal(taken.hidden, hidden)


@pytest.mark.parametrize('start', phases.STARTS)
def test_handover_between_cells_of_other_sizes(start):
  """A solver with more units than its encoder starts with its own number of them."""
  encoder, solver = cell(units=2), cell(units=5)
  handed, _ = encoder.hand_over(random_state(np.random.default_rng(4), encoder))
  _, own = solver.hand_over(solver.initial_state(ADDRESSES))
  assert solver.take_over(handed, own, start).hidden.shape == (5,)


def test_memory_smaller_than_the_kernel_is_an_error():
  module = cell(shift_range=2)
  state = module.initial_state(4)
  with pytest.raises(ValueError, match=r'5 taps .*4 addresses'):
    jax.eval_shape(module.init, jax.random.key(0), state, jnp.zeros(INPUTS))


def test_layers_see_input_hidden_and_read():
  """z_t = [x_t, h_{t-1}, r_t]: 10 + 2 + 4 rows, and a column per number that comes out."""
  params = jax.eval_shape(lambda: init(cell(shift_range=2, output_hidden=6)))
  shapes = {name: layer['kernel'].shape for name, layer in params.items()}
  assert shapes == {
      'hidden': (16, 2), 'interface': (16, 4 + 4 + 5 + 1), 'output_hidden': (16, 6),
      'output': (6, 3)}
  assert all(layer.keys() == {'kernel', 'bias'} for layer in params.values())


@pytest.mark.parametrize('options, rows, numbers', [
    ({'blind': True}, 12, 4 + 4), ({'overwrite': True}, 16, 4),
    ({'blind': True, 'overwrite': True}, 12, 4)], ids=str)
def test_layers_have_no_weights_for_what_is_not_used(options, rows, numbers):
  params = jax.eval_shape(lambda: init(cell(**options)))
  assert {name: layer['kernel'].shape for name, layer in params.items()} == {
      'hidden': (rows, 2), 'interface': (rows, numbers + 3 + 1), 'output': (rows, 3)}


@pytest.mark.parametrize('options', [{}, {'overwrite': True}])
def test_first_biases_go_to_their_numbers(options):
  first = {'write_bias': -2., 'erase_bias': 3., 'gamma_bias': -1., 'walk_bias': 5.}
  bias = init(cell(**first, **options))['interface']['bias']
  erase = [] if options else [1.] * 4
  np.testing.assert_array_equal(bias, [*[-2.] * 4, *erase, 0., 0., 5., -1.])


def test_what_is_written_over_leaves_no_trace():
  """With all attention at one address: two steps from an empty memory and from any other."""
  rng, module = np.random.default_rng(6), cell(blind=True, overwrite=True, shift_range=0)
  params, state = init(module), module.initial_state(ADDRESSES)
  inputs = rng.normal(size=(2, INPUTS))
  used = state._replace(memory=1e3 * rng.normal(size=state.memory.shape))
  (empty, _), (found, _) = (module.unroll(params, one, inputs) for one in (state, used))
  np.testing.assert_array_equal(found.memory[:, 0], empty.memory[:, 0])
  np.testing.assert_array_equal(found.memory[:, 1:], np.float32(used.memory[:, 1:]))


def test_what_a_blind_cell_does_is_the_same_whatever_is_in_memory():
  rng, module = np.random.default_rng(5), cell(blind=True)
  params, state = init(module), random_state(rng, module)
  inputs = rng.normal(size=(6, INPUTS))
  run = lambda memory: module.unroll(params, state._replace(memory=memory), inputs)
  (found, steps), (other, others) = run(state.memory), run(state.memory * 1e6)
  np.testing.assert_array_equal(found.hidden, other.hidden)
  np.testing.assert_array_equal(found.attention, other.attention)
  np.testing.assert_array_equal(steps.output, others.output)
  assert np.abs(found.memory - other.memory).max() > 1


@pytest.mark.parametrize('centre, start', [(0., 0.), (.5, 0.), (.5, .25)])
def test_units_before_the_output_start_as_they_are_told_where_all_is_their_centre(centre, start):
  """The layer is a dense one otherwise."""
  options = {'output_centre': centre, 'output_start': start}
  layer = init(cell(output_hidden=6, **options))['output_hidden']
  found = np.full(16, centre) @ layer['kernel'] + layer['bias']
  np.testing.assert_allclose(found, start, atol=1e-6)
  plain = init(cell(output_hidden=6))['output_hidden']
  np.testing.assert_array_equal(layer['kernel'], plain['kernel'])
  np.testing.assert_array_equal(plain['bias'], 0)
  dense = nn.Dense(6).init(jax.random.key(3), jnp.zeros(16))['params']
  own = maes.Centred(6, centre).init(jax.random.key(3), jnp.zeros(16))['params']
  np.testing.assert_array_equal(own['kernel'], dense['kernel'])


def test_unknown_reading_of_line_3_is_an_error():
  with pytest.raises(errors.UserError, match=r'sideways.*move_first, write_first'):
    init(cell(line3='sideways'))


def test_reach_is_the_shift_range():
  assert [cell(shift_range=k).reach for k in (0, 1, 2)] == [0, 1, 2]



def test_latched_units_start_with_two_resting_points():
  """h = sigma(8 h - 4) has the roots 0.02, 1/2 and 0.98; the layer is the plain one otherwise."""
  plain, latched = init(cell()), init(cell(latch=8.))
  units = len(plain['hidden']['bias'])
  on_itself = np.zeros(plain['hidden']['kernel'].shape)
  on_itself[INPUTS:INPUTS + units] = 8 * np.eye(units)  # z_t = [x_t, h_{t-1}, r_t]
  np.testing.assert_allclose(latched['hidden']['kernel'], plain['hidden']['kernel'] + on_itself,
                             rtol=1e-6)
  np.testing.assert_array_equal(latched['hidden']['bias'], np.full(units, -4))


def state_of(units, **options):
  """Hidden states [9, H] from h_0 = 0 on, of first parameters, where items and memory are 0."""
  module = cell(units=units, **options)
  params = init(module)
  state = module.initial_state(4)
  # No number of a word reaches the units: what they do is their own.
  kernel = params['hidden']['kernel']
  of_words = jnp.arange(len(kernel)) >= INPUTS + units
  hidden = {**params['hidden'], 'kernel': jnp.where(of_words[:, None], 0, kernel)}
  seen = []
  for _ in range(9):
    state, _ = module.apply({'params': {**params, 'hidden': hidden}}, state, jnp.zeros(INPUTS))
    seen.append(state.hidden)
  return np.asarray(seen)


@pytest.mark.parametrize('units', [2, 3, 4])
def test_a_pair_of_units_starts_going_through_four_states_for_good(units):
  """10, 11, 01, 00, and again; a unit without another starts as it does without."""
  found = state_of(units, clock=20.)
  turns = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])[np.arange(9) % 4]
  pairs = units // 2
  np.testing.assert_array_equal(np.round(found[:, :2 * pairs]), np.tile(turns, pairs))
  alone = init(cell(units=units, clock=20.))['hidden']['bias'][2 * pairs:]
  np.testing.assert_array_equal(alone, 0)


def test_units_that_count_start_with_the_weights_that_are_drawn_otherwise():
  plain, counting = init(cell(units=3)), init(cell(units=3, clock=8.))
  on_units = np.zeros(plain['hidden']['kernel'].shape)
  on_units[INPUTS:INPUTS + 3] = [[0, 8, 0], [-8, 0, 0], [0, 0, 0]]
  np.testing.assert_allclose(counting['hidden']['kernel'], plain['hidden']['kernel'] + on_units,
                             rtol=1e-6)
  np.testing.assert_array_equal(counting['hidden']['bias'], [4, -4, 0])
  np.testing.assert_array_equal(plain['hidden']['bias'], 0)
  without = lambda params: {name: layer for name, layer in params.items() if name != 'hidden'}
  jax.tree.map(np.testing.assert_array_equal, without(plain), without(counting))
