"""A run through a window on the memory is exact or says that it is not."""

import functools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import encoder_solver
from maes_jax import phases
from maes_jax import tasks
from maes_jax import windowed
from maes_jax.cells import maes

ADDRESSES = 64
STEPS = 40
CELL = maes.Maes(outputs=3, width=4, units=2)
TAPS = slice(2 * CELL.width, 2 * CELL.width + 3)


def params(tap, decided=200., gamma=50.):
  """A head that makes the same move at every step, as decidedly as asked; the rest is random.

  A softmax of (200, -200, -200) is (1, 0, 0) exactly in float32.
  """
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(
      CELL.init, jax.random.key(0), CELL.initial_state(8), jax.ShapeDtypeStruct((10,), 'float32'))
  drawn = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype('float32'), shapes)['params']
  kernel, bias = drawn['interface']['kernel'], drawn['interface']['bias']
  kernel[:, TAPS], kernel[:, -1] = 0, 0
  bias[TAPS], bias[-1] = np.where(np.arange(3) == tap, decided, -decided), gamma
  return drawn


def start(address):
  """A full memory with the head anywhere: what a solver takes over."""
  state = CELL.initial_state(ADDRESSES)
  content = np.random.default_rng(1).normal(size=state.memory.shape).astype('float32')
  return state._replace(memory=content, attention=np.eye(ADDRESSES, dtype='float32')[address])


@functools.cache
def compiled(unroll):
  return jax.jit(functools.partial(unroll, CELL))


def run(unroll, weights, state, steps=STEPS, valid=STEPS):
  inputs = np.random.default_rng(2).normal(size=(steps, 10)).astype('float32')
  return jax.device_get(compiled(unroll)(weights, state, inputs, np.int32(valid)))


WIDE = functools.partial(windowed.unroll, size=2 * windowed.SIZES[0])


@pytest.mark.parametrize('unroll, steps', [(windowed.unroll, STEPS), (WIDE, 30)])
@pytest.mark.parametrize('tap', [0, 1, 2])
@pytest.mark.parametrize('address', [0, 3, 30, ADDRESSES - 1])
def test_sharp_attention_is_exact(unroll, steps, tap, address):
  """Back, stay and forward, and over the seam of the ring of addresses."""
  state, shown = run(unroll, params(tap), start(address), valid=steps)
  wanted_state, wanted = run(encoder_solver.unroll, params(tap), start(address), valid=steps)
  assert shown.exact.all()
  np.testing.assert_allclose(shown.output[:steps], wanted.output[:steps], rtol=1e-5, atol=1e-6)
  for one, other in zip(state, wanted_state, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_padding_is_exact():
  state, shown = run(windowed.unroll, params(2), start(5), valid=9)
  wanted_state, wanted = run(encoder_solver.unroll, params(2), start(5), valid=9)
  assert shown.exact.all()
  np.testing.assert_allclose(shown.output[:9], wanted.output[:9], rtol=1e-5, atol=1e-6)
  for one, other in zip(state, wanted_state, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('decided, gamma, lasts', [
    (.1, 0., False), (1., 0., False), (2., 1., False), (5., .5, True), (200., 50., True)])
def test_attention_is_exact_as_long_as_the_flag_says(decided, gamma, lasts):
  """Once weight has left the window no later step is exact; a state is if its last step is."""
  state, shown = run(windowed.unroll, params(2, decided, gamma), start(5))
  wanted_state, wanted = run(encoder_solver.unroll, params(2, decided, gamma), start(5))
  np.testing.assert_allclose(
      shown.output[shown.exact], wanted.output[shown.exact], rtol=1e-4, atol=1e-5)
  assert shown.exact[0]
  assert shown.exact[-1] == lasts
  assert (np.diff(shown.exact.astype(int)) <= 0).all()
  if lasts:
    np.testing.assert_allclose(state.memory, wanted_state.memory, rtol=1e-4, atol=1e-5)


def test_a_wider_window_follows_what_is_less_sharp():
  _, narrow = run(windowed.unroll, params(2, decided=2., gamma=1.), start(5), valid=30)
  _, wide = run(WIDE, params(2, decided=2., gamma=1.), start(5), valid=30)
  _, wanted = run(encoder_solver.unroll, params(2, decided=2., gamma=1.), start(5), valid=30)
  assert (narrow.exact[-1], wide.exact[-1]) == (False, True)
  np.testing.assert_allclose(wide.output[:30], wanted.output[:30], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('dtype, double', [
    ('float32', True), ('float64', True), ('float16', False), ('bfloat16', False)])
def test_it_computes_in_the_dtype_of_the_parameters(dtype, double):
  """As the whole memory does, whatever the dtype of inputs and state, and of JAX by default."""
  with jax.enable_x64(double):
    weights = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), params(2))
    state, shown = run(windowed.unroll, weights, start(5))
    wanted_state, wanted = run(encoder_solver.unroll, weights, start(5))
  assert shown.exact.all()
  described = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)
  assert described(state) == described(wanted_state)
  assert shown.output.dtype == wanted.output.dtype == dtype
  near = {'float16': 2e-2, 'bfloat16': .15}.get(dtype, 1e-5)
  np.testing.assert_allclose(shown.output, wanted.output, atol=near)


@pytest.mark.parametrize('places', [range(ADDRESSES), [0, 7], [0, ADDRESSES - 8]])
def test_attention_spread_from_the_start_is_not_exact(places):
  """Everywhere; or where one shift would wrap it around inside the window."""
  attention = np.zeros(ADDRESSES, 'float32')
  attention[list(places)] = 1 / len(places)
  _, shown = run(windowed.unroll, params(2), start(0)._replace(attention=attention))
  assert not shown.exact.any()


def test_more_than_once_round_is_not_exact():
  """After all 64 addresses the ring would have to close; the first 40 steps are fine."""
  _, shown = run(windowed.unroll, params(2), start(0), steps=80, valid=80)
  assert shown.exact[:40].all()
  assert not shown.exact[-1]


SCORE = """
import maes_jax
for name, task, memory in (('E_S', 'serial_recall', 42), ('E_J-odd_recall', 'odd_recall', 44)):
  trained = maes_jax.load(name)
  tester = maes_jax.Tester(trained.model, maes_jax.tasks.get(task), 40, memory, batch_size=8)
  counts = tester.test(trained.params, length=40, batches=1)
  print(counts.bits_right, 'of', counts.bits)
"""


@pytest.mark.parametrize('flags', [
    '', '--xla_cpu_enable_fast_math=true --xla_cpu_fast_math_honor_nans=false'])
def test_a_compiler_that_knows_no_nan_scores_the_same(flags):
  """In memories that sequences just fit into the window is lost on the way."""
  done = subprocess.run(
      [sys.executable, '-c', SCORE], env=os.environ | {'XLA_FLAGS': flags, 'JAX_PLATFORMS': 'cpu'},
      capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr
  assert done.stdout.splitlines() == ['2560 of 2560', '1280 of 1280']


def test_serves_short_shifts_in_a_memory_larger_than_the_window():
  assert windowed.serves(CELL, 1024)
  assert not windowed.serves(CELL, windowed.SIZES[0])
  assert not windowed.serves(CELL, 1024, size=1000)
  assert not windowed.serves(maes.Maes(shift_range=windowed.MARGIN + 1), 1024)


@pytest.mark.parametrize(
    'task, pays', [('serial_recall', True), ('carry', True), ('n_back', False)])
def test_a_window_is_not_opened_anew_for_every_step(task, pays):
  assert windowed.pays(tasks.dry_run(tasks.get(task), 1000).program) == pays


JUMPING = encoder_solver.Model(maes.Maes(width=4, units=2), {
    'repeat_copy': maes.Maes(outputs=6, width=4, units=2, head='jump'),
    'repeat_copy/end': maes.Maes(width=4, units=2, head='jump')})


def jumping(decided=200., gamma=50.):
  """Its encoder makes steps on, as decidedly as asked; its other cells are random."""
  weights = JUMPING.init(jax.random.key(0))
  return {**weights, 'encoder': {**weights['encoder'], 'interface': params(
      2, decided, gamma)['interface']}}


@pytest.mark.parametrize('decided, gamma, follows', [(200., 50., True), (1., 0., False)])
def test_cells_that_jump_go_through_all_of_the_memory(decided, gamma, follows):
  """And the encoder before them through a window, which says whether it was exact."""
  task, weights = tasks.get('repeat_copy'), jumping(decided, gamma)
  keys = jax.random.split(jax.random.key(1), 3)
  episodes = tasks.sample_batch(task, keys, np.array([3, 5, 6]), 8)
  logits, exact = windowed.answer_batch(JUMPING, weights, task.name, episodes, ADDRESSES)
  wanted = JUMPING.answer_batch(weights, {task.name: episodes}, ADDRESSES)[task.name]
  assert (exact == follows).all()
  if follows:
    counted = np.asarray(episodes.mask)
    np.testing.assert_allclose(logits[counted], wanted[counted], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('steps', [0, 1])
def test_a_phase_without_steps_loses_nothing(steps):
  """Where it would begin attention is spread by a cell that may jump; with a step it matters."""
  inputs = np.random.default_rng(2).normal(size=(9, 10)).astype('float32')
  asked = {'targets': np.zeros((9, 6), 'float32'), 'mask': np.ones(9, bool)}
  episode = phases.Episode((
      phases.Phase(inputs, np.int32(9)), phases.Phase(inputs, np.int32(9), cell='/end'),
      phases.Phase(inputs, np.int32(steps), start=phases.HANDOVER),
      phases.Phase(inputs, np.int32(9), cell=phases.SOLVER, **asked)), np.int32(9))
  episodes = jax.tree.map(lambda leaf: np.asarray(leaf)[None], episode)
  logits, exact = windowed.answer_batch(JUMPING, jumping(), 'repeat_copy', episodes, ADDRESSES)
  wanted = JUMPING.answer_batch(jumping(), {'repeat_copy': episodes}, ADDRESSES)['repeat_copy']
  assert exact.tolist() == [steps == 0]
  if not steps:
    np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-6)


class OwnStep(maes.Maes):
  """It may look anywhere: nobody says how far."""

  def __call__(self, state_tm1, x_t):
    return super().__call__(state_tm1, x_t)


class Far:
  """A step that is mixed in."""

  def __call__(self, state_tm1, x_t):
    return super().__call__(state_tm1, x_t)


class MixedStep(Far, maes.Maes):
  """No step in its own body."""


class OwnName(maes.Maes):
  """The same step as it has."""


def test_no_window_for_a_step_that_nothing_is_said_of():
  assert not windowed.serves(OwnStep(), 1024)
  assert not windowed.serves(MixedStep(), 1024)
  assert windowed.serves(OwnName(), 1024)
