"""What every cell promises to other people's code: derivatives of any kind, Flax, devices, dtypes.

References are finite differences, and the same thing computed one by one.
"""

import dataclasses
import functools

import chex
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
import numpy as np
import pytest

from maes_jax import addressing
from maes_jax import encoder_solver
from maes_jax import memory
from maes_jax import models
from maes_jax import precision
from maes_jax import tasks
from maes_jax.cells import dnc
from maes_jax.cells import dwm
from maes_jax.cells import gated_deltanet
from maes_jax.cells import gru
from maes_jax.cells import lru
from maes_jax.cells import lstm
from maes_jax.cells import maes
from maes_jax.cells import maes2018
from maes_jax.cells import mamba2
from maes_jax.cells import mlstm
from maes_jax.cells import ntm
from maes_jax.cells import tapes
from maes_jax.cells import transformer
from maes_jax.config import Config

CELLS = {
    'maes': maes.Maes(outputs=2, width=3, units=2, output_hidden=3),
    'maes_content': maes.Maes(outputs=2, width=3, units=2, head='content'),
    'maes_jump': maes.Maes(outputs=2, width=3, units=2, head='jump'),
    'ntm': ntm.Ntm(outputs=2, width=3, units=2, read_heads=2),
    'dnc': dnc.Dnc(outputs=2, width=3, units=2, read_heads=2),
    'lstm': lstm.Lstm(outputs=2, layers=2, units=3),
    'maes2018': maes2018.Maes2018(outputs=2, width=3, units=2, output_hidden=3),
    'dwm': dwm.Dwm(outputs=2, width=3, units=2),
    'stack_rnn': tapes.StackRnn(outputs=2, width=3, units=4),
    'tape_rnn': tapes.TapeRnn(outputs=2, width=3, units=4),
    'gru': gru.Gru(outputs=2, units=3),
    'lru': lru.Lru(outputs=2, layers=2, units=3, states=2),
    'mlstm': mlstm.Mlstm(outputs=2, layers=1, units=3, heads=2, head_width=2),
    'gated_deltanet': gated_deltanet.GatedDeltaNet(
        outputs=2, layers=1, units=3, heads=2, head_width=2, taps=2),
    'mamba2': mamba2.Mamba2(
        outputs=2, layers=1, units=3, heads=2, head_width=2, states=3, taps=2),
    'transformer': transformer.Transformer(
        outputs=2, layers=1, units=3, heads=2, head_width=2, inner=3)}
STEPS, INPUTS, ADDRESSES, BATCH = 3, 3, 4, 2
ANY_CELL = pytest.mark.parametrize('name', CELLS)
# For what all owe to the scan that they share: those with a derivative or a loop of their own, and
# one of each kind of the others.
EACH_KIND = pytest.mark.parametrize('name', [
    'maes', 'maes_content', 'ntm', 'dnc', 'lstm', 'tape_rnn', 'gated_deltanet', 'transformer'])
# Where padding is skipped the derivative is written out, else it is JAX's.
EITHER_WAY = pytest.mark.parametrize('skip_padding', [False, True])


@functools.cache
def drawn(name, dtype=np.float32):
  """Parameters, and inputs of a batch [B, T, X]; no two numbers are the same."""
  cell, rng = CELLS[name], np.random.default_rng(0)
  shapes = jax.eval_shape(lambda: cell.init(
      jax.random.key(0), cell.initial_state(ADDRESSES), jnp.zeros(INPUTS)))['params']
  draw = lambda leaf: rng.normal(size=leaf.shape).astype(dtype)
  return jax.tree.map(draw, shapes), draw(np.zeros((BATCH, STEPS, INPUTS)))


def answers(name, skip_padding, params, inputs):
  """Logits [T, Y] and last state of one sequence [T, X], as one vector."""
  cell = CELLS[name]
  last, shown = cell.unroll(
      params, cell.initial_state(ADDRESSES), inputs, STEPS, skip_padding=skip_padding)
  return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves((shown.output, last))])


def loss(name, skip_padding, params, inputs):
  vector = answers(name, skip_padding, params, inputs)
  return jnp.sum(jnp.sin(vector + jnp.arange(vector.size, dtype=vector.dtype)))


def stack(trees):
  return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def direction(like):
  return jax.tree.map(lambda leaf: np.cos(np.arange(1., 1 + leaf.size)).reshape(leaf.shape), like)


def differences(function, at, along, step=1e-6):
  """The derivative of a function along a direction, by finite differences."""
  moved = lambda by: function(*jax.tree.map(lambda leaf, d: leaf + by * d, at, along))
  return jax.tree.map(lambda up, down: (up - down) / (2 * step), moved(step), moved(-step))


def assert_close(found, wanted, tolerance=1e-9):
  """In double precision, unless the test says how much rounding there may be."""
  chex.assert_trees_all_close(found, wanted, rtol=tolerance, atol=tolerance)


@EITHER_WAY
class TestReverseMode:

  @EACH_KIND
  def test_gradients_of_examples_and_models_are_those_one_by_one(self, name, skip_padding):
    """`vmap(grad)` over examples, and over models; `grad(vmap)`; through `jax.checkpoint`."""
    if name == 'lstm' and skip_padding and jax.__version_info__ < (0, 10):
      pytest.skip('XLA of this version ends the process: a check of its layouts fails')
    with jax.enable_x64(True):
      params, inputs = drawn(name, np.float64)
      value = functools.partial(loss, name, skip_padding)
      gradient = jax.jit(jax.grad(value))
      alone = stack([gradient(params, x) for x in inputs])
      checkpointed = jax.grad(jax.checkpoint(value))
      assert_close(jax.jit(jax.vmap(checkpointed, (None, 0)))(params, inputs), alone)
      total = lambda params: jnp.sum(jax.vmap(value, (None, 0))(params, inputs))
      assert_close(jax.jit(jax.grad(total))(params), jax.tree.map(lambda leaf: leaf.sum(0), alone))
      two = [params, jax.tree.map(np.negative, params)]
      found = jax.jit(jax.vmap(gradient, (0, None)))(stack(two), inputs[0])
      assert_close(found, stack([gradient(one, inputs[0]) for one in two]))

  @EACH_KIND
  def test_a_jacobian_is_that_of_finite_differences(self, name, skip_padding):
    """By all parameters and inputs, along a direction through all of them."""
    with jax.enable_x64(True):
      params, inputs = drawn(name, np.float64)
      at, function = (params, inputs[0]), jax.jit(functools.partial(answers, name, skip_padding))
      rows, along = jax.jit(jax.jacrev(function, (0, 1)))(*at), direction(at)
      products = jax.tree.map(lambda leaf, d: jnp.tensordot(leaf, d, d.ndim), rows, along)
      assert_close(sum(jax.tree.leaves(products)), differences(function, at, along), 1e-7)

  @EACH_KIND
  def test_devices_that_share_a_batch_add_up_its_gradient(self, name, skip_padding):
    """`shard_map` with its default checks, on one device: what varies is checked all the same."""
    params, inputs = drawn(name)  # Meshes and double precision do not go together in every JAX.
    mesh = jax.make_mesh((1,), ('batch',), (jax.sharding.AxisType.Explicit,))
    value = functools.partial(loss, name, skip_padding)
    whole = lambda params, inputs: jnp.sum(jax.vmap(value, (None, 0))(params, inputs))

    @functools.partial(jax.shard_map, mesh=mesh, out_specs=PartitionSpec(),
                       in_specs=(PartitionSpec(), PartitionSpec('batch')))
    def shared(params, inputs):
      return lax.psum(whole(params, inputs), 'batch')

    with jax.set_mesh(mesh):
      found = jax.jit(jax.grad(shared))(params, jax.reshard(inputs, PartitionSpec('batch')))
    assert_close(found, jax.jit(jax.grad(whole))(params, inputs), 1e-4)


@EACH_KIND
class TestEveryMode:

  def test_second_derivatives_are_those_of_finite_differences(self, name):
    """A hessian times a vector, forward over reverse and reverse over reverse."""
    with jax.enable_x64(True):
      params, inputs = drawn(name, np.float64)
      at, gradient = (params, inputs[0]), jax.grad(functools.partial(loss, name, False), (0, 1))
      along = direction(at)
      dot = lambda one, other: sum(jax.tree.leaves(jax.tree.map(jnp.vdot, one, other)))
      forward = jax.jit(lambda *at: jax.jvp(gradient, at, along)[1])(*at)
      reverse = jax.jit(jax.grad(lambda *at: dot(gradient(*at), along), (0, 1)))(*at)
      assert_close(forward, reverse)
      assert_close(forward, differences(jax.jit(gradient), at, along), 1e-6)

  def test_jacobians_of_both_modes_are_the_same(self, name):
    with jax.enable_x64(True):
      params, inputs = drawn(name, np.float64)
      function = lambda x: answers(name, False, params, x)
      assert_close(*(jax.jit(mode(function))(inputs[0]) for mode in (jax.jacrev, jax.jacfwd)))


class Outer(nn.Module):
  """Somebody's own module round a cell, through Flax's transforms."""
  kind: type
  options: tuple
  transform: str

  @nn.compact
  def __call__(self, state, inputs):
    scan = functools.partial(nn.scan, variable_broadcast='params', split_rngs={'params': False})
    cell = nn.remat(self.kind) if self.transform == 'remat' else self.kind
    if self.transform == 'vmap':
      state, inputs = jax.tree.map(lambda leaf: leaf[None], (state, inputs))
      scan = functools.partial(scan, in_axes=1, out_axes=1)
      cell = nn.vmap(cell, variable_axes={'params': None}, split_rngs={'params': False})
    _, shown = scan(cell)(**dict(self.options), name='cell')(state, inputs)
    return shown.output.reshape(STEPS, -1)


@EACH_KIND
@pytest.mark.parametrize('transform', ['scan', 'vmap', 'remat'])
def test_in_other_peoples_modules(name, transform):
  """`nn.scan`, `nn.vmap`, `nn.remat`: parameters, no other variables, and the same answers."""
  cell, (params, inputs) = CELLS[name], drawn(name)
  options = tuple((field.name, getattr(cell, field.name)) for field in dataclasses.fields(cell)
                  if field.name not in ('parent', 'name'))
  state, outer = cell.initial_state(ADDRESSES), Outer(type(cell), options, transform)
  made = jax.eval_shape(outer.init, jax.random.key(0), state, inputs[0])
  assert made.keys() == {'params'}
  assert jax.tree.structure(made['params']['cell']) == jax.tree.structure(params)
  weights = jnp.cos(jnp.arange(2. * STEPS)).reshape(STEPS, 2)
  outside = lambda p: jnp.sum(weights * outer.apply({'params': {'cell': p}}, state, inputs[0]))
  ours = lambda p: jnp.sum(weights * cell.unroll(p, state, inputs[0])[1].output)
  assert_close(jax.jit(jax.value_and_grad(outside))(params),
               jax.jit(jax.value_and_grad(ours))(params), 1e-5)


@ANY_CELL
def test_init_makes_parameters_and_nothing_else(name):
  cell = CELLS[name]
  made = cell.init(jax.random.key(0), cell.initial_state(ADDRESSES), jnp.zeros(INPUTS))
  assert made.keys() == {'params'}


def assert_dtypes(tree, dtype):
  """All leaves are of that dtype; those that are `Wide` of float32."""
  kept = lambda node: isinstance(node, precision.Wide)
  for node in jax.tree.leaves(tree, is_leaf=kept):
    wanted = jnp.float32 if kept(node) else dtype
    assert {leaf.dtype for leaf in jax.tree.leaves(node)} == {np.dtype(wanted)}


@ANY_CELL
@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16])
class TestHalfPrecision:

  def test_parameters_say_in_which_dtype_all_is_computed(self, name, dtype):
    """State, answers, attention and gradients are of the parameters' dtype, and finite.

    But for what a state keeps in float32.
    """
    cell = CELLS[name]
    params, inputs = jax.tree.map(lambda leaf: leaf.astype(dtype), drawn(name))
    run = lambda p: cell.unroll(p, cell.initial_state(ADDRESSES), inputs[0])
    value = lambda p: jnp.sum(run(p)[1].output.astype(jnp.float32))
    for tree in (jax.jit(run)(params), jax.jit(jax.grad(value))(params)):
      assert_dtypes(tree, dtype)
      assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))

  def test_a_step_stays_in_it(self, name, dtype):
    """Called by itself, as `nn.scan` calls it."""
    cell = CELLS[name]
    params, inputs = jax.tree.map(lambda leaf: leaf.astype(dtype), drawn(name))
    state = precision.as_params(cell.initial_state(ADDRESSES), params)
    after = jax.eval_shape(cell.apply, {'params': params}, state, inputs[0, 0])
    assert_dtypes(after, dtype)
    chex.assert_trees_all_equal_dtypes(after[0], state)

  def test_nothing_is_mixed_under_strict_promotion(self, name, dtype):
    cell = CELLS[name]
    params, inputs = jax.tree.map(lambda leaf: leaf.astype(dtype), drawn(name))
    run = lambda p: jnp.sum(cell.unroll(p, cell.initial_state(ADDRESSES), inputs[0])[1].output)
    with jax.enable_x64(True), jax.numpy_dtype_promotion('strict'):
      gradient = jax.eval_shape(jax.grad(run), params)
    assert_dtypes(gradient, dtype)

  def test_answers_are_near_those_of_float32(self, name, dtype):
    params, inputs = drawn(name)
    run = jax.jit(lambda p: CELLS[name].unroll(
        p, CELLS[name].initial_state(ADDRESSES), inputs[0])[1].output)
    half = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
    single = run(jax.tree.map(lambda leaf: leaf.astype(jnp.float32), half))
    # Rounding of each of some 10 numbers that an answer is a sum of, through STEPS steps.
    few = 10 * STEPS * jnp.finfo(dtype).eps
    np.testing.assert_allclose(run(half).astype(jnp.float32), single, rtol=few, atol=few)


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16, jnp.float32])
class TestExtremesOfAnyPrecision:

  def test_strict_promotion_mixes_nothing_in_attention(self, dtype):
    def worked_out(attention):
      return (memory.sharpen(attention, jnp.array(2, dtype)), memory.sharpen(attention, gamma=2.),
              addressing.cosine_similarity(jnp.stack([attention, attention]), attention[:2]))
    attention = jnp.array([.5, .25, .25], dtype)
    with jax.enable_x64(True), jax.numpy_dtype_promotion('strict'):
      found = worked_out(attention)
    jax.tree.map(np.testing.assert_array_equal, found, worked_out(attention))
    assert {leaf.dtype for leaf in found} == {np.dtype(dtype)}

  def test_an_empty_word_is_like_nothing_and_has_a_gradient(self, dtype):
    content = jnp.zeros((3, 4), dtype).at[:, 1].set(1)
    key = jnp.array([1, 2, 3], dtype)
    similarity = addressing.cosine_similarity(content, key)
    np.testing.assert_array_equal(similarity[jnp.array([0, 2, 3])].astype(float), 0)
    total = lambda content, key: jnp.sum(addressing.cosine_similarity(content, key))
    for leaf in jax.grad(total, (0, 1))(content, key) + jax.grad(total, (0, 1))(content, 0 * key):
      assert leaf.dtype == dtype
      assert jnp.isfinite(leaf).all()

  @pytest.mark.parametrize('gamma', [1, 100])
  def test_sharpening_keeps_sums_and_gradients(self, dtype, gamma):
    attention = jnp.array([.5, .25, .25, 0, 1e-7] + [0] * 4091, dtype)
    sharp = memory.sharpen(attention, jnp.array(gamma, dtype))
    np.testing.assert_allclose(sharp.astype(float).sum(), 1, rtol=1e-2)
    assert not sharp[3]
    gradient = jax.grad(lambda a, g: memory.sharpen(a, g)[0], (0, 1))(
        attention, jnp.array(gamma, dtype))
    assert all(jnp.isfinite(leaf).all() for leaf in gradient)


@pytest.mark.parametrize('name, skip_padding', [
    *((name, False) for name in ('maes', 'ntm', 'dnc', 'lstm', 'tape_rnn', 'transformer')),
    ('maes', True), ('lstm', True)])
def test_a_whole_model_gives_every_example_its_gradient(name, skip_padding):
  """Through `Model.answer_batch`, as for influence, Fisher information or private training.

  In double precision: where two addresses of the DNC are used all but equally, rounding decides.
  """
  task, small = tasks.get('serial_recall'), {'units': 3} | ({'layers': 2} if name == 'lstm' else {})
  model = models.build(Config(model=name, task=(task.name,), **small))
  batch = tasks.sample_batch(task, jax.random.split(jax.random.key(1), 3), jnp.array([2, 5, 4]), 5)
  params = model.init(jax.random.key(0))

  def value(params, episode):
    alone = {task.name: jax.tree.map(lambda leaf: leaf[None], episode)}
    unroll = encoder_solver.skipping if skip_padding else encoder_solver.unroll
    logits = model.answer_batch(params, alone, 8, unroll)[task.name]
    return jnp.sum(jnp.where(episode.mask[None, :, None], jnp.sin(logits), 0))

  pick = lambda i: jax.tree.map(lambda leaf: leaf[i], batch)
  gradient = jax.grad(value)
  with jax.enable_x64(True):
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    alone = stack([jax.jit(gradient)(params, pick(i)) for i in range(3)])
    assert_close(jax.jit(jax.vmap(gradient, (None, 0)))(params, batch), alone)
