"""Whole runs of two phases: encode, hand over, solve; against loops, and what must not matter."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import models
from maes_jax import tasks
from maes_jax.cells import base
from maes_jax.config import Config
from maes_jax.training import losses
from tests import two_phases
from tests.oracles import maes as oracle
from tests.two_phases import aux
from tests.two_phases import main

ADDRESSES = 8
PADDED = 6
LENGTHS = (1, 3, 6)
JOINT = ('serial_recall', 'reverse_recall', 'odd_recall', 'sequence_comparison')
PAIR = ('reverse_recall', 'sequence_comparison')  # Enough where a gradient must compile.
KEEP_ATTENTION = ('reverse_recall',)


def build(task=JOINT, **options):
  return models.build(Config(task=task, **options))


@functools.cache
def numbers(model_options=()):
  """Parameters of a joint model: random, larger than fresh ones, and no bias is zero."""
  model = build(**dict(model_options))
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  rng = np.random.default_rng(0)
  return jax.tree.map(lambda leaf: .7 * rng.normal(size=leaf.shape), shapes)


@functools.cache
def episodes(padded=PADDED, lengths=LENGTHS):
  """A batch of one episode of each length, by task; double precision would draw other bits."""
  with jax.enable_x64(False):
    return _episodes(padded, lengths)


def _episodes(padded, lengths):
  keys = jax.random.split(jax.random.key(1), len(lengths))
  drawn = {}
  for name in JOINT:
    batch = [jax.device_get(tasks.sample(tasks.get(name), key, n, PADDED))
             for key, n in zip(keys, lengths)]
    batch = jax.tree.map(lambda *leaves: np.stack(leaves), *batch)
    drawn[name] = jax.tree.map(
        lambda leaf: leaf[:, :padded + 1] if leaf.ndim > 1 else leaf, batch)
  return drawn


def one(batch, i):
  """The i-th sequence three times over, so that the same program takes it."""
  return jax.tree.map(lambda leaf: np.stack([leaf[i]] * 3), batch)


@functools.cache
def compiled():
  """Logits, loss and gradient of a batch: the one program that most tests here share."""
  model = build(PAIR)

  def total(params, batch):
    logits = model.answer_batch(params, batch, ADDRESSES)
    return losses.loss(logits, batch, dict.fromkeys(PAIR, 1 / 2)), logits

  def run(params, batch):
    (loss, logits), gradient = jax.value_and_grad(total, has_aux=True)(params, batch)
    return logits, loss, gradient

  return jax.jit(run)


@functools.cache
def whole():
  return run(pair())


def run(batch):
  params = jax.tree.map(np.float32, numbers())
  solvers = {name: params['solvers'][name] for name in PAIR}
  return jax.device_get(compiled()({**params, 'solvers': solvers}, batch))


def pair(padded=PADDED):
  return {name: episodes(padded)[name] for name in PAIR}


def assert_tree(comparison, found, wanted, **tolerance):
  jax.tree.map(functools.partial(comparison, **tolerance), found, wanted)


@pytest.mark.parametrize('options', [
    {'line3': 'write_first', 'add_activation': 'sigmoid'},
    {'line3': 'move_first', 'add_activation': 'linear'}], ids=str)
def test_whole_run_is_the_papers(options):
  """One encoder, four solvers, lengths 1, 3 and 6, padding and all, in double precision."""
  model = build(**options)
  params = numbers()
  with jax.enable_x64(True):
    logits = jax.jit(lambda p, b: model.answer_batch(p, b, ADDRESSES))(params, episodes())
  for name, batch in episodes().items():
    for i, length in enumerate(LENGTHS):
      expected = oracle.run(
          params['encoder'], params['solvers'][name],
          main(batch)[i, :length + 1], aux(batch)[i, :length + 1], addresses=ADDRESSES,
          keep_attention=name in KEEP_ATTENTION, **options)
      np.testing.assert_allclose(
          logits[name][i, :length + 1], expected, atol=1e-10, err_msg=f'{name} {length}')


class TestPadding:

  def test_what_lies_in_it_changes_nothing(self):
    """Rubbish beyond the length, in inputs and targets: every number is the same bit for bit."""
    def spoil(episode):
      beyond = np.arange(PADDED + 1) > episode.length[:, None]
      rubbish = lambda leaf: np.where(beyond[..., None], np.float32(7), leaf)
      return two_phases.replaced(episode, rubbish(main(episode)), rubbish(aux(episode)),
                                 targets=rubbish(episode.targets))

    batch = {name: spoil(episode) for name, episode in pair().items()}
    assert (main(batch[PAIR[0]]) != main(pair()[PAIR[0]])).any()
    logits, loss, gradient = run(batch)
    for name, episode in pair().items():
      inside = np.arange(PADDED + 1) <= episode.length[:, None]
      np.testing.assert_array_equal(logits[name][inside], whole()[0][name][inside])
    assert loss == whole()[1]
    assert_tree(np.testing.assert_array_equal, gradient, whole()[2])

  def test_none_gives_the_same(self):
    """Lengths 1, 3, 3 without any padding behind 3; another program, so rounding may differ."""
    short = jax.tree.map(lambda leaf: leaf[[0, 1, 1]], pair(padded=3))
    long = jax.tree.map(lambda leaf: leaf[[0, 1, 1]], pair())
    (logits, loss, gradient), (_, long_loss, long_gradient) = run(short), run(long)
    for name in PAIR:
      np.testing.assert_allclose(logits[name][1], whole()[0][name][1, :4], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(loss, long_loss, rtol=1e-5)
    assert_tree(np.testing.assert_allclose, gradient, long_gradient, rtol=1e-3, atol=1e-6)

  def test_adds_nothing_to_the_state(self):
    """The encoder's last state is that after the last item, whatever comes behind."""
    model, params = build(), jax.tree.map(np.float32, numbers())
    inputs = main(episodes()['odd_recall'])[0]
    state, step = model.encoder.initial_state(ADDRESSES), jax.jit(model.encoder.apply)
    encode = jax.jit(lambda steps: encoder_solver.unroll(
        model.encoder, params['encoder'], state, inputs, steps)[0])
    stop = jax.device_get(encode(np.int32(2)))
    for x_t in inputs[:2]:
      state, _ = step({'params': params['encoder']}, state, x_t)
    assert_tree(np.testing.assert_allclose, stop, jax.device_get(state), rtol=1e-5)


class TestBatch:

  @pytest.mark.parametrize('i', range(3))
  def test_mixed_lengths_equal_each_alone(self, i):
    logits, _, _ = run(one(pair(), i))
    steps = LENGTHS[i] + 1  # What is answered in padding means nothing.
    for name in PAIR:
      np.testing.assert_allclose(
          logits[name][0, :steps], whole()[0][name][i, :steps], rtol=1e-5, atol=1e-6)

  def test_gradient_is_the_mean_over_bits(self):
    """Of one task: three sequences' gradients, weighted by how many bits each has."""
    name = 'reverse_recall'
    weights = np.array(LENGTHS) / sum(LENGTHS)
    parts = [run(one(pair(), i))[2]['solvers'][name] for i in range(3)]
    mean = jax.tree.map(lambda *leaves: sum(w * g for w, g in zip(weights, leaves)), *parts)
    assert_tree(np.testing.assert_allclose, mean, whole()[2]['solvers'][name], rtol=1e-3, atol=1e-6)

  def test_order_does_not_matter(self):
    order = np.array([2, 0, 1])
    logits, loss, gradient = run(jax.tree.map(lambda leaf: leaf[order], pair()))
    for name in PAIR:
      np.testing.assert_allclose(logits[name], whole()[0][name][order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(loss, whole()[1], rtol=1e-6)
    assert_tree(np.testing.assert_allclose, gradient, whole()[2], rtol=1e-3, atol=1e-6)


def test_jit_changes_nothing():
  """The same numbers op by op, but for rounding."""
  model = build(('reverse_recall',))
  params = {'encoder': numbers()['encoder'],
            'solvers': {'reverse_recall': numbers()['solvers']['reverse_recall']}}
  episode = episodes()['reverse_recall']
  batch = {'reverse_recall': jax.tree.map(
      lambda leaf: leaf[1, :4] if leaf.ndim > 1 else leaf[1], episode)}
  with jax.disable_jit():
    plain = model.answer(jax.tree.map(np.float32, params), batch, ADDRESSES)
  np.testing.assert_allclose(
      plain['reverse_recall'], whole()[0]['reverse_recall'][1, :4], rtol=1e-4, atol=1e-6)


def test_chunks_equal_the_whole():
  """State is all that a cell remembers: four steps and three more are seven."""
  model, params = build(), jax.tree.map(np.float32, numbers())
  inputs = main(episodes()['odd_recall'])[2]
  unroll = jax.jit(lambda state, inputs: encoder_solver.unroll(
      model.encoder, params['encoder'], state, inputs, np.int32(len(inputs))))
  start = model.encoder.initial_state(ADDRESSES)
  at_once, _ = unroll(start, inputs)
  half, _ = unroll(start, inputs[:4])
  pieces, _ = unroll(half, inputs[4:])
  assert_tree(np.testing.assert_allclose, pieces, at_once, rtol=1e-5, atol=1e-7)


def test_second_call_compiles_nothing():
  run(pair())
  size = compiled()._cache_size()
  run(one(pair(), 0))
  assert compiled()._cache_size() == size


def test_joint_answers_are_those_of_each_solver_alone():
  """Solvers share an encoding and nothing else."""
  params = jax.tree.map(np.float32, numbers())
  alone = build(PAIR[1:])
  mine = {'encoder': params['encoder'], 'solvers': {PAIR[1]: params['solvers'][PAIR[1]]}}
  batch = {PAIR[1]: episodes()[PAIR[1]]}
  logits = jax.jit(lambda: alone.answer_batch(mine, batch, ADDRESSES))()
  np.testing.assert_allclose(logits[PAIR[1]], whole()[0][PAIR[1]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name', ['lstm', 'ntm', 'dnc'])
def test_tied_models_read_both_sequences_as_one(name):
  """Answers and gradient of one task, against encoding and then solving, for mixed lengths."""
  model, task = build(PAIR, model=name), PAIR[0]
  batch = {task: episodes()[task]}
  params = jax.jit(model.init)(jax.random.key(0))
  mask = batch[task].mask[..., None]

  def total(answer, params):
    logits = jnp.where(mask, answer(params), 0)
    return jnp.sum(logits**2), logits

  def apart(params, episode):
    cell, start = model.solvers[task], model.encoder.initial_state(ADDRESSES)
    whole = {**params['encoder'], **params['solvers'][task]}
    encoded, _ = model.encoder.unroll(params['encoder'], start, main(episode), 1 + episode.length)
    return cell.unroll(whole, encoded, aux(episode), 1 + episode.length)[1].output

  at_once = lambda params: model.answer_batch(params, batch, ADDRESSES)[task]
  in_turn = lambda params: jax.vmap(lambda episode: apart(params, episode))(batch[task])
  differentiate = lambda answer: jax.value_and_grad(functools.partial(total, answer), has_aux=True)
  found, wanted = (jax.jit(differentiate(answer))(params) for answer in (at_once, in_turn))
  assert np.any(wanted[0][1])
  assert_tree(np.testing.assert_allclose, found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', ['maes', 'lstm', 'ntm', 'dnc'])
def test_skipping_padding_changes_nothing(name):
  """Answers and gradient of mixed lengths, none of them as long as the arrays."""
  model, task = build(PAIR[:1], model=name), PAIR[0]
  batch = {task: jax.tree.map(lambda leaf: leaf[:2], episodes()[task])}
  params = jax.jit(model.init)(jax.random.key(0))
  mask = batch[task].mask[..., None]
  assert batch[task].length.max() < PADDED

  def total(params, unroll):
    logits = model.answer_batch(params, batch, ADDRESSES, unroll)[task]
    logits = jnp.where(mask, logits, 0)
    return jnp.sum(logits**2), logits

  differentiate = jax.jit(jax.value_and_grad(total, has_aux=True), static_argnums=1)
  found, wanted = (differentiate(params, unroll)
                   for unroll in (encoder_solver.skipping, encoder_solver.unroll))
  assert np.any(wanted[0][1])
  assert_tree(np.testing.assert_allclose, found, wanted, rtol=1e-5, atol=1e-6)


def test_trace_shows_what_answer_computes():
  model, params = build(), jax.tree.map(np.float32, numbers())
  episode = jax.tree.map(lambda leaf: leaf[2], episodes()['reverse_recall'])
  (writing,), (reading,) = jax.jit(
      lambda: model.trace(params, 'reverse_recall', episode.program, ADDRESSES))()
  encoded, _ = model.encoder.unroll(
      params['encoder'], model.encoder.initial_state(ADDRESSES), main(episode))
  np.testing.assert_allclose(
      reading.output, whole()[0]['reverse_recall'][2], rtol=1e-4, atol=1e-6)
  assert writing.output is None
  assert writing.write.shape == reading.read.shape == (PADDED + 1, 1, ADDRESSES)
  np.testing.assert_allclose(reading.read[0, 0], encoded.attention, rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(writing.memory[-1], encoded.memory, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('task', two_phases.TASKS)
def test_paper_sizes_are_under_2000_parameters(task):
  """Section 4.1: the largest network contained less than 2,000 trainable parameters."""
  model = build((task,))
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  assert shapes.keys() == {'encoder', 'solvers'}
  assert shapes['solvers'].keys() == {task}
  assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) < 2000


def test_encoder_and_solvers_start_with_numbers_of_their_own():
  model = build(('odd_recall', 'sequence_comparison'))
  params = jax.jit(model.init)(jax.random.key(0))
  kernels = [params['encoder'], *params['solvers'].values()]
  hidden = np.array([layers['hidden']['kernel'] for layers in kernels])
  assert len(np.unique(hidden)) == hidden.size


def test_wide_shift_range_needs_only_memory_to_match():
  """A kernel of 81 taps and a memory of 100 addresses fit each other."""
  model = models.build(Config(memory=100, shift_range=40))
  jax.eval_shape(model.init, jax.random.key(0))


@pytest.mark.parametrize('name', ['ntm', 'dnc'])
def test_heads_may_be_many(name):
  model = models.build(Config(model=name, read_heads=80, memory=200))
  assert models.parameters(model)['encoder']


class Still(base.Cell):
  """It has no parameters and answers nothing."""

  def initial_state(self, addresses):
    return (jnp.zeros(2, jnp.float32),)

  def __call__(self, state_tm1, x_t):
    return state_tm1, base.Step(None, None, None)


def test_a_cell_may_have_no_parameters():
  model = encoder_solver.Model(Still(), {}, tied=True)
  assert model.init(jax.random.key(0)) == {'encoder': {}, 'solvers': {}}


@pytest.mark.parametrize('other', [{'key': 1, 'length': 3}, {'key': 0, 'length': 2}])
def test_tasks_that_begin_with_other_items_are_not_answered_as_if_with_the_same(other):
  draw = lambda name, key, length: tasks.sample(tasks.get(name), jax.random.key(key), length, 3)
  one, two = PAIR
  model = build(PAIR)
  params = model.init(jax.random.key(0))
  of_one = {one: draw(one, 0, 3), two: draw(two, 0, 3)}
  model.answer(params, of_one, ADDRESSES)
  different = {**of_one, two: draw(two, **other)}
  batch = jax.tree.map(lambda leaf: leaf[None], different)
  for answer, episodes in ((model.answer, different), (model.answer_batch, batch)):
    with pytest.raises(errors.UserError, match='draw them from one key and of one length'):
      answer(params, episodes, ADDRESSES)


@pytest.mark.parametrize('model', ['maes', 'lstm'])
def test_one_episode_is_answered_and_a_batch_by_another_name(model):
  model, task = build(('serial_recall',), model=model), 'serial_recall'
  line = r'a mask of shape \(3, 7\).*use answer_batch'
  with pytest.raises(errors.UserError, match=line) as error:
    model.answer(model.init(jax.random.key(0)), {task: episodes()[task]}, ADDRESSES)
  assert '\n' not in str(error.value)


def test_cells_that_take_turns_are_in_no_ring():
  model = build(('serial_recall',))
  episode = tasks.sample(tasks.get('serial_recall'), jax.random.key(0), 3, 3)
  with pytest.raises(errors.UserError, match='has a ring of addresses'):
    model.answer(model.init(jax.random.key(0)),
                 {'serial_recall': episode._replace(ring=jnp.int32(4))}, ADDRESSES)
