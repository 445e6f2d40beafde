"""Heads as an option of MAES: by content against the equations, and one from outside."""

import functools

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import tasks
from maes_jax import windowed
from maes_jax.cells import heads
from maes_jax.cells import maes
from maes_jax.training import losses
from tests.cells import random_numbers
from tests.oracles import maes as oracle
from tests.oracles import ntm as ntm_oracle

INPUTS, ADDRESSES, WIDTH = 10, 7, 4
TASK, PADDED, LENGTHS = 'sequence_comparison', 5, np.array([2, 5])


def cell(**options):
  return maes.Maes(**{'outputs': 3, 'width': WIDTH, 'units': 2, 'head': 'content', **options})


def random_state(rng, module):
  state = random_numbers.tree(rng, module.initial_state(ADDRESSES))
  return state._replace(attention=rng.dirichlet(np.ones(ADDRESSES)))


@pytest.mark.parametrize('shift_range', [0, 1, 2])
@pytest.mark.parametrize('line3', maes.LINE3)
def test_a_step_by_content_is_the_equations(line3, shift_range):
  """Algorithm 1 with equations 5 to 9 of Graves et al. 2014 for line 4; both see M_{t-1}."""
  check_steps(cell(line3=line3, shift_range=shift_range),
              functools.partial(ntm_oracle.address, taps=2 * shift_range + 1), line3)


def check_steps(module, address, line3):
  """Six steps against loops in which a head addresses so."""
  rng = np.random.default_rng(module.shift_range)
  with jax.enable_x64(True):
    params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
    state = expected = random_state(rng, module)
    apply = jax.jit(module.apply)
    for x_t in rng.normal(size=(6, INPUTS)):
      state, shown = apply({'params': params}, state, x_t)
      before = expected
      expected, logits = oracle.step(params, expected, x_t, line3=line3, address=address)
      np.testing.assert_allclose(shown.output, logits, rtol=1e-9, atol=1e-9)
      np.testing.assert_allclose(shown.read[0], before[2], rtol=1e-9, atol=1e-9)
      for found, wanted in zip(state, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def by_jump(raw, memory, attention):
  """w~_t = g_t e_0 + (1 - g_t) w_{t-1}, then Algorithm 1's line 4."""
  gate = 1 / (1 + np.exp(3 - raw[0]))
  jumped = [gate * (i == 0) + (1 - gate) * weight for i, weight in enumerate(attention)]
  return oracle.by_shift(raw[1:], memory, np.array(jumped))


@pytest.mark.parametrize('shift_range', [0, 1, 2])
@pytest.mark.parametrize('line3', maes.LINE3)
def test_a_step_with_a_jump_is_the_equations(line3, shift_range):
  check_steps(cell(head='jump', line3=line3, shift_range=shift_range), by_jump, line3)


@pytest.mark.parametrize('head, equations', [('sharp', oracle.by_shift), ('sharp_jump', by_jump)])
@pytest.mark.parametrize('line3', maes.LINE3)
def test_a_step_of_a_sharp_head_is_that_of_another_with_one_more_gamma(line3, head, equations):
  """1 + softplus is 1 more where what goes in is the softplus's inverse of one more."""
  def address(raw, memory, attention):
    more = np.log(np.expm1(1 + np.logaddexp(0, raw[-1])))
    return equations(np.array([*raw[:-1], more]), memory, attention)
  check_steps(cell(head=head, line3=line3), address, line3)


def test_attention_that_leaks_at_every_step_stays_sharp_with_a_sharp_head_alone():
  """0.2 % each way for 1,000 steps, and the least gamma."""
  address = lambda head: jax.lax.fori_loop(0, 1000, lambda _, attention: heads.HEADS[head].address(
      jnp.array([-6.2, 0., -6.2, -100.]), jnp.zeros((WIDTH, 99)), attention), jnp.eye(99)[40])
  assert address('shift').max() < 0.3
  assert address('sharp')[40] > 0.999


def test_a_gate_that_is_never_quite_closed_takes_nothing_of_a_sharp_head():
  """0.5 % to address 0 at each of 1,000 steps."""
  stay = [-50., 50., -50., -100.]
  address = lambda head: jax.lax.fori_loop(0, 1000, lambda _, attention: heads.HEADS[head].address(
      jnp.array([-2.3, *stay]), jnp.zeros((WIDTH, 99)), attention), jnp.eye(99)[40])
  assert address('jump')[40] < 0.01
  assert address('sharp_jump')[40] > 0.999


def test_an_open_gate_leads_from_anywhere_to_address_0_and_a_closed_one_nowhere():
  stay, sharp = [-50., 50., -50.], [100.]
  address = lambda gate: heads.HEADS['jump'].address(
      jnp.array([gate, *stay, *sharp]), jnp.zeros((WIDTH, ADDRESSES)), jnp.eye(ADDRESSES)[4])
  np.testing.assert_allclose(address(20.), np.eye(ADDRESSES)[0], atol=1e-6)
  np.testing.assert_allclose(address(-20.), np.eye(ADDRESSES)[4], atol=1e-6)


def test_a_key_finds_its_word_wherever_it_lies():
  """A sharp key, the gate open, no shift: attention jumps from one end to the other."""
  rng = np.random.default_rng(3)
  memory = rng.normal(size=(WIDTH, ADDRESSES)).astype(np.float32)
  stay, sharp, open_gate = [-50., 50., -50.], [100., 50.], [10.]
  raw = jnp.array([*memory[:, 6], *stay, *sharp, *open_gate], jnp.float32)
  found = heads.HEADS['content'].address(raw, memory, jnp.eye(ADDRESSES)[0])
  np.testing.assert_allclose(found, np.eye(ADDRESSES)[6], atol=1e-5)


def test_the_interface_is_that_of_the_shift_with_key_strength_and_gate_besides():
  shapes = lambda head: jax.eval_shape(lambda: cell(head=head).init(
      jax.random.key(0), cell().initial_state(ADDRESSES), jnp.zeros(INPUTS)))['params']
  shift, content = shapes('shift'), shapes('content')
  assert shift['interface']['kernel'].shape == (INPUTS + 2 + WIDTH, 2 * WIDTH + 3 + 1)
  assert content['interface']['kernel'].shape == (INPUTS + 2 + WIDTH, 2 * WIDTH + WIDTH + 3 + 3)
  without = lambda tree: {name: layer for name, layer in tree.items() if name != 'interface'}
  assert without(shift) == without(content)


def first_parameters(**options):
  module = cell(**options)
  return module.init(
      jax.random.key(0), module.initial_state(ADDRESSES), jnp.zeros(INPUTS))['params']


@pytest.fixture
def blunt(monkeypatch):
  """A head of that name, which stays and does not sharpen."""
  monkeypatch.setattr(heads, 'HEADS', dict(heads.HEADS))
  heads.register('blunt', heads.Head(lambda width, k: 1, lambda raw, memory, attention: attention))


@pytest.mark.usefixtures('blunt')
@pytest.mark.parametrize('head, gamma', [
    ('shift', True), ('sharp', True), ('content', True), ('jump', True),
    ('sharp_jump', True), ('blunt', False)])
def test_gamma_starts_at_its_bias_and_nothing_else_does(head, gamma):
  bias = first_parameters(head=head, gamma_bias=-3., write_bias=-2.)['interface']['bias']
  rest = np.zeros(len(bias) - 2 * WIDTH)
  rest[-1] = -3 if gamma else 0
  np.testing.assert_array_equal(bias, [*[-2.] * 2 * WIDTH, *rest])


def test_the_erase_vector_starts_higher_by_its_own_bias():
  bias = first_parameters(head='shift', write_bias=-2., erase_bias=3.)['interface']['bias']
  np.testing.assert_array_equal(bias[:2 * WIDTH], [-2.] * WIDTH + [1.] * WIDTH)


@pytest.mark.usefixtures('blunt')
@pytest.mark.parametrize('head, shift_range, walk_bias, place', [
    ('shift', 1, 6., 2), ('shift', 2, 6., 3), ('shift', 0, 6., None), ('content', 1, 6., WIDTH + 2),
    ('jump', 2, 6., 4), ('blunt', 1, 6., None), ('shift', 1, -6., 0), ('shift', 2, -6., 1),
    ('jump', 2, -6., 2)])
def test_a_step_to_the_next_address_or_back_starts_at_its_bias(
    head, shift_range, walk_bias, place):
  params = first_parameters(head=head, shift_range=shift_range, walk_bias=walk_bias)
  bias = params['interface']['bias'][2 * WIDTH:]
  np.testing.assert_array_equal(bias, [6. if i == place else 0. for i in range(len(bias))])


@pytest.mark.parametrize('way', [1, -1])
def test_attention_walks_at_a_large_bias_and_none_of_the_weights(way):
  module = cell(head='shift', walk_bias=20. * way, start_scale=0.)
  state = module.initial_state(ADDRESSES)
  params = module.init(jax.random.key(0), state, jnp.zeros(INPUTS))['params']
  for step in range(1, 4):
    state, _ = module.apply({'params': params}, state, jnp.ones(INPUTS))
    np.testing.assert_allclose(state.attention, np.eye(ADDRESSES)[way * step], atol=1e-6)


@pytest.mark.usefixtures('blunt')
@pytest.mark.parametrize('head, kernel', [
    ('shift', slice(0, 3)), ('sharp', slice(0, 3)), ('content', slice(WIDTH, WIDTH + 3)),
    ('jump', slice(1, 4)), ('sharp_jump', slice(1, 4)), ('blunt', slice(0, 0))])
def test_weights_of_kernel_and_output_alone_are_scaled_at_the_start(head, kernel):
  whole, halved = (jax.device_get(first_parameters(head=head, start_scale=scale, output_hidden=3))
                   for scale in (1., .5))
  whole['output']['kernel'] = whole['output']['kernel'] / 2
  interface = whole['interface']['kernel'].copy()
  interface[:, 2 * WIDTH:][:, kernel] /= 2
  whole['interface']['kernel'] = interface
  jax.tree.map(np.testing.assert_array_equal, whole, halved)


@pytest.mark.parametrize('shift_range', [1, 2])
def test_at_a_scale_of_0_attention_goes_each_way_alike_and_answers_are_even(shift_range):
  module = cell(head='shift', shift_range=shift_range, start_scale=0.)
  state = module.initial_state(ADDRESSES)
  params = module.init(jax.random.key(0), state, jnp.zeros(INPUTS))['params']
  state, step = module.apply({'params': params}, state, jnp.ones(INPUTS))
  there = np.abs((np.arange(ADDRESSES) + ADDRESSES // 2) % ADDRESSES - ADDRESSES // 2)
  np.testing.assert_allclose(
      state.attention, (there <= shift_range) / (2 * shift_range + 1), atol=1e-6)
  np.testing.assert_array_equal(step.output, 0)


class TestTheModel:
  """What every model promises, of MAES with a content head (see tests/test_models.py)."""

  def test_every_gradient_is_finite_and_none_is_left_out(self):
    for path, leaf in jax.tree_util.tree_leaves_with_path(whole()[2]):
      assert np.isfinite(leaf).all(), path
      assert leaf.any(), path

  def test_what_lies_in_the_padding_changes_nothing(self):
    params, run = prepared()
    beyond = np.arange(PADDED + 1) > LENGTHS[:, None]
    spoil = lambda leaf: (
        np.where(beyond[..., None], np.float32(7), leaf) if leaf.ndim == 3 else leaf)
    spoilt = jax.tree.map(spoil, batch())
    assert any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (spoilt, batch()))))
    logits, loss, gradient = jax.device_get(run(params, spoilt))
    np.testing.assert_array_equal(logits[~beyond], whole()[0][~beyond])
    assert loss == whole()[1]
    jax.tree.map(np.testing.assert_array_equal, gradient, whole()[2])

  def test_one_set_of_parameters_runs_with_any_memory(self):
    params, _ = prepared()
    for addresses in (8, 40):
      answer = functools.partial(model().answer_batch, addresses=addresses)
      assert jax.eval_shape(answer, params, {TASK: batch()})[TASK].shape == (2, PADDED + 1, 1)

  def test_a_wide_shift_can_be_initialised(self):
    wide = cell(shift_range=40)
    made = jax.eval_shape(lambda: encoder_solver.Model(wide, {}).init(jax.random.key(0)))
    assert made['encoder']['interface']['bias'].shape == (2 * WIDTH + WIDTH + 81 + 3,)


def model():
  return encoder_solver.Model(cell(outputs=0), {TASK: cell(outputs=1)})


@functools.cache
def batch():
  keys = jax.random.split(jax.random.key(1), len(LENGTHS))
  return jax.device_get(tasks.sample_batch(tasks.get(TASK), keys, LENGTHS, PADDED))


@functools.cache
def prepared():
  rng, one = np.random.default_rng(0), model()
  params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) / 2,
                        jax.eval_shape(lambda: one.init(jax.random.key(0))))

  def total(params, batch):
    logits = one.answer_batch(params, {TASK: batch}, ADDRESSES)
    return losses.loss(logits, {TASK: batch}, {TASK: 1.}), logits[TASK]

  def run(params, batch):
    (loss, logits), gradient = jax.value_and_grad(total, has_aux=True)(params, batch)
    return logits, loss, gradient

  return params, jax.jit(run)


@functools.cache
def whole():
  params, run = prepared()
  return jax.device_get(run(params, batch()))


@pytest.mark.parametrize('head', ['content', 'jump', 'sharp_jump'])
def test_a_window_cannot_follow_a_head_that_jumps(head):
  assert cell(head=head).reach is None
  assert cell(head='shift').reach == cell(head='sharp').reach == 1
  assert not windowed.serves(cell(head=head), addresses=1024)
  assert windowed.serves(cell(head='shift'), addresses=1024)


def test_a_head_from_outside(monkeypatch):
  """Two numbers that say how much to stay and how much to look at the last address."""
  monkeypatch.setattr(heads, 'HEADS', dict(heads.HEADS))

  def address(raw, memory, attention):
    stay, jump = nn.softmax(raw)
    return stay * attention + jump * jax.nn.one_hot(memory.shape[1] - 1, memory.shape[1])

  heads.register('last', heads.Head(lambda width, k: 2, address))
  module, rng = cell(head='last'), np.random.default_rng(5)
  params = random_numbers.params(rng, module, ADDRESSES, INPUTS)
  assert params['interface']['bias'].shape == (2 * WIDTH + 2,)
  state, _ = module.apply({'params': params}, module.initial_state(ADDRESSES), np.ones(INPUTS))
  assert np.flatnonzero(state.attention).tolist() == [0, ADDRESSES - 1]
  assert module.reach is None
  with pytest.raises(errors.UserError, match="head 'last' is registered already"):
    heads.register('last', heads.HEADS['shift'])


def test_an_unknown_head_names_the_closest():
  module = cell(head='contents')
  with pytest.raises(errors.UserError, match=r"unknown head 'contents'.*did you mean 'content'"):
    module.init(jax.random.key(0), module.initial_state(ADDRESSES), jnp.zeros(INPUTS))
