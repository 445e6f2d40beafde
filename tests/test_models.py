"""What every model promises, for every family in the table: a new one is tested by being there."""

import dataclasses
import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maes_jax import errors
from maes_jax import families
from maes_jax import models
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.items import Bits
from maes_jax.training import losses
from tests import two_phases

# Small, and no two alike: a swapped axis shows. A cell takes those of them that it has.
SIZES = {'width': 4, 'units': 3, 'layers': 2, 'read_heads': 2, 'write_heads': 1}
# Of three ReLU units all are off now and then.
LARGER = {'stack_rnn': {'units': 8}, 'tape_rnn': {'units': 8}}
ADDRESSES = 9
PADDED = 6
LENGTHS = np.array([2, 6])
TASK = 'sequence_comparison'
FAMILIES = list(families.FAMILIES)


def config(name, task=(TASK,), **options):
  known = {field.name for field in dataclasses.fields(families.FAMILIES[name].cell)}
  sizes = {option: size for option, size in SIZES.items() if option in known}
  return Config(model=name, task=task, **{**sizes, **LARGER.get(name, {}), **options})


def shapes(model):
  return jax.eval_shape(model.init, jax.random.key(0))


@functools.cache
def prepared(name):
  """A model with random parameters, and its compiled (params, batch) -> logits, loss, gradient."""
  model = models.build(config(name))
  rng = np.random.default_rng(0)
  params = jax.tree.map(
      lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) / 2, shapes(model))

  def total(params, batch):
    logits = model.answer_batch(params, {TASK: batch}, ADDRESSES)
    return losses.loss(logits, {TASK: batch}, {TASK: 1.}), logits[TASK]

  def run(params, batch):
    (loss, logits), gradient = jax.value_and_grad(total, has_aux=True)(params, batch)
    return logits, loss, gradient

  return model, params, jax.jit(run)


@functools.cache
def batch():
  keys = jax.random.split(jax.random.key(1), len(LENGTHS))
  draw = jax.jit(jax.vmap(lambda key, n: tasks.sample(tasks.get(TASK), key, n, PADDED)))
  return jax.device_get(draw(keys, LENGTHS))


@functools.cache
def whole(name):
  _, params, run = prepared(name)
  return jax.device_get(run(params, batch()))


@functools.cache
def traced(name):
  model, params, _ = prepared(name)
  episode = jax.tree.map(lambda leaf: leaf[1], batch())
  return jax.device_get(jax.jit(lambda: model.trace(params, TASK, episode.program, ADDRESSES))())


@pytest.mark.parametrize('name', FAMILIES)
class TestEveryFamily:

  def test_parameters_have_the_two_top_level_keys(self, name):
    """Freezing, transfer and reports go by them."""
    params = shapes(models.build(config(name, two_phases.TASKS)))
    assert params.keys() == {'encoder', 'solvers'}
    assert params['solvers'].keys() == set(two_phases.TASKS)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))

  def test_tied_solvers_add_only_what_the_encoder_lacks(self, name):
    model = models.build(config(name))
    params = shapes(model)
    shared = params['encoder'].keys() & params['solvers'][TASK].keys()
    assert bool(shared) != model.tied
    assert 'output' not in params['encoder']

  def test_memory_size_is_no_parameters_shape(self, name):
    cell = models.build(config(name)).encoder
    init = lambda addresses: cell.init(
        jax.random.key(0), cell.initial_state(addresses), jnp.zeros(tasks.get(TASK).inputs))
    assert jax.eval_shape(lambda: init(9)) == jax.eval_shape(lambda: init(33))

  def test_one_set_of_parameters_runs_with_any_memory(self, name):
    model, params, _ = prepared(name)
    episodes = {TASK: batch()}
    for addresses in (8, 40):
      answer = functools.partial(model.answer_batch, addresses=addresses)
      assert jax.eval_shape(answer, params, episodes)[TASK].shape == (2, PADDED + 1, 1)

  def test_state_keeps_its_shapes_and_types(self, name):
    """A scan and a checkpoint both need it."""
    cell = models.build(config(name)).encoder
    state = cell.initial_state(ADDRESSES)
    x_t = jnp.zeros(tasks.get(TASK).inputs)
    params = jax.eval_shape(lambda: cell.init(jax.random.key(0), state, x_t))
    after, shown = jax.eval_shape(cell.apply, params, state, x_t)
    described = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)
    assert described(after) == described(state)
    assert shown.output is None

  def test_answers_are_logits_by_step(self, name):
    logits, loss, _ = whole(name)
    assert logits.shape == (2, PADDED + 1, 1)
    assert np.isfinite(logits).all()
    assert 0 < loss < 10

  def test_every_gradient_is_finite_and_none_is_left_out(self, name):
    """A leaf without any gradient is connected to nothing."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(whole(name)[2]):
      assert np.isfinite(leaf).all(), path
      assert leaf.any(), path

  def test_what_lies_in_the_padding_changes_nothing(self, name):
    """Rubbish beyond the length: answers, loss and gradient are the same bit for bit."""
    _, params, run = prepared(name)
    beyond = np.arange(PADDED + 1) > LENGTHS[:, None]
    spoil = lambda leaf: np.where(beyond[..., None], np.float32(7), leaf)
    main, aux = two_phases.main(batch()), two_phases.aux(batch())
    spoilt = two_phases.replaced(
        batch(), spoil(main), spoil(aux), targets=spoil(batch().targets))
    assert (spoil(main) != main).any()
    logits, loss, gradient = jax.device_get(run(params, spoilt))
    np.testing.assert_array_equal(logits[~beyond], whole(name)[0][~beyond])
    assert loss == whole(name)[1]
    jax.tree.map(np.testing.assert_array_equal, gradient, whole(name)[2])

  def test_sequences_of_a_batch_know_nothing_of_each_other(self, name):
    _, params, run = prepared(name)
    for i in range(2):
      twice = jax.tree.map(lambda leaf: leaf[[i, i]], batch())  # noqa: B023
      logits, _, _ = run(params, twice)
      np.testing.assert_allclose(  # What is answered in padding means nothing.
          logits[0][batch().mask[i]], whole(name)[0][i][batch().mask[i]], rtol=1e-5, atol=1e-6)

  def test_second_call_compiles_nothing(self, name):
    _, params, run = prepared(name)
    run(params, batch())
    run(params, jax.tree.map(lambda leaf: leaf[::-1], batch()))
    assert run._cache_size() == 1

  def test_attention_is_non_negative_and_sums_to_1_at_most(self, name):
    """[T, heads, N] for figures; none where there is no memory."""
    (writing,), (reading,) = traced(name)
    for attention in (writing.read, writing.write, reading.read, reading.write):
      if attention is not None:
        assert attention.shape[0] == PADDED + 1
        assert attention.shape[2] == ADDRESSES
        assert attention.min() >= 0
        assert attention.sum(axis=-1).max() < 1 + 1e-5

  def test_a_trace_shows_the_memory_that_every_step_leaves(self, name):
    """Encoding that ends after a step leaves what the trace shows of that step."""
    model, params, _ = prepared(name)
    main, cell = two_phases.main(batch())[1], model.encoder
    start = cell.initial_state(ADDRESSES)
    encode = lambda steps: cell.unroll(params['encoder'], start, main, steps)[0]
    states = jax.jit(jax.vmap(encode))(1 + np.arange(len(main)))
    (writing,), (reading,) = traced(name)
    if not hasattr(states, 'memory'):
      assert writing.memory is reading.memory is None
      return
    np.testing.assert_allclose(writing.memory, states.memory, rtol=1e-5, atol=1e-6)
    assert reading.memory.shape == writing.memory.shape

  def test_later_inputs_do_not_reach_earlier_answers(self, name):
    """The recall phase is causal: the last auxiliary item changes the last answer alone."""
    _, params, run = prepared(name)
    aux = two_phases.aux(batch()).copy()
    aux[1, -1, 2:] = 1 - aux[1, -1, 2:]
    logits, _, _ = run(params, two_phases.replaced(batch(), aux=aux))
    np.testing.assert_array_equal(logits[1, :-1], whole(name)[0][1, :-1])
    assert logits[1, -1] != whole(name)[0][1, -1]

  def test_answers_depend_on_what_was_encoded(self, name):
    _, params, run = prepared(name)
    main = two_phases.main(batch()).copy()
    main[1, 1, 2:] = 1 - main[1, 1, 2:]
    logits, _, _ = run(params, two_phases.replaced(batch(), main=main))
    assert (logits[1] != whole(name)[0][1]).any()
    np.testing.assert_array_equal(logits[0], whole(name)[0][0])


class TestBuild:

  def test_the_papers_maes(self):
    """Width 10, 5 units; jumps by two for Odd, 10 units for XOR."""
    solvers = models.build(Config(task=two_phases.TASKS)).solvers
    assert {(cell.width, cell.units) for cell in solvers.values()} == {(10, 5)}
    chosen = lambda test: {name for name, cell in solvers.items() if test(cell)}
    assert chosen(lambda cell: cell.shift_range == 2) == {'odd_recall'}
    assert chosen(lambda cell: cell.output_hidden == 10) == {
        'sequence_comparison', 'sequence_equality', 'hard_equality', 'prefix_equality'}

  @pytest.mark.parametrize('task', ['repeat_copy', 'duplicate_string', 'odds_first'])
  def test_who_reads_once_more_from_the_first_item_on_can_jump(self, task):
    built = lambda **options: models.build(Config(task=(task,), **options))
    assert (built().encoder.head, built().solvers[task].head) == ('shift', 'jump')
    assert built(solver={'head': 'shift'}).solvers[task].head == 'shift'

  @pytest.mark.parametrize('given', [
      {'model': 'gru', 'task': ('cycle_navigation',)}, {'task': ('parity_check',)},
      {'model': 'ntm'}])
  def test_what_is_counted_is_what_is_trained(self, given):
    config = Config(**given)
    model = models.build(families.resolve(config))
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes(model)))
    assert models.count_parameters(config) == count != sum(
        leaf.size for leaf in jax.tree.leaves(shapes(models.build(config))))

  def test_config_wins_over_the_table(self):
    model = models.build(Config(
        task=('odd_recall',), shift_range=3, solver_shift_range=1, output_hidden=4, units=7))
    solver = model.solvers['odd_recall']
    assert (model.encoder.shift_range, model.encoder.units, model.encoder.outputs) == (3, 7, 0)
    assert (solver.shift_range, solver.output_hidden, solver.outputs) == (1, 4, 8)

  def test_unknown_model_names_the_closest(self):
    with pytest.raises(errors.UserError, match=r"unknown model 'meas'.*did you mean 'maes'"):
      models.build(Config(model='meas'))

  def test_unknown_task_names_the_closest(self):
    with pytest.raises(errors.UserError, match="did you mean 'odd_recall'"):
      models.build(Config(task=('od_recall',)))

  @pytest.mark.parametrize('name', FAMILIES)
  def test_a_model_can_be_a_key_and_be_sent_to_another_process(self, name):
    """Equal models are one key, as for `jax.jit` with a model that is static."""
    one, other = models.build(config(name)), models.build(config(name))
    assert hash(one) == hash(other) and one == other
    assert one != models.build(config(name, ('odd_recall',)))
    assert pickle.loads(pickle.dumps(one)) == one
    traced = []
    cells = jax.jit(lambda model: traced.append(model) or 0, static_argnums=0)
    assert cells(one) == cells(other) and len(traced) == 1

  @pytest.mark.parametrize('name', list(tasks.TASKS))
  def test_a_task_can_be_sent_to_another_process(self, name):
    assert pickle.loads(pickle.dumps(tasks.get(name))).name == name

  def test_option_that_a_model_lacks_is_an_error(self):
    with pytest.raises(errors.UserError, match="'maes' has no option 'layers'"):
      models.build(Config(layers=2))

  def test_names_are_taken_once(self):
    with pytest.raises(errors.UserError, match="'maes' is registered already"):
      families.register('maes', families.FAMILIES['maes'])

  def test_own_model_is_known_by_its_name(self, monkeypatch):
    monkeypatch.setattr(families, 'FAMILIES', dict(families.FAMILIES))
    families.register('mine', families.FAMILIES['maes'])
    assert models.build(Config(model='mine')).encoder == models.build(Config()).encoder


@pytest.mark.parametrize('name, phase_bit', [('maes', None), ('gru', None), ('gru', True)])
@pytest.mark.parametrize('change', [
    {'items': Bits(7)}, {'items': Bits(10)}, {'items': Bits(12)}, {'control_bits': 4},
    {'items': Bits(6), 'control_bits': 4}, {'sequences': 3}], ids=repr)
def test_items_of_another_width_are_not_taken_for_control_bits(name, phase_bit, change):
  """Forget has two sequences of two control bits: a model reads as many more, but no items so."""
  task = tasks.get('forget')
  model = models.build(Config(model=name, task=('forget',), phase_bit=phase_bit))
  models.check_reads(model, task)
  with pytest.raises(errors.UserError, match=r"'forget' has \d x \d control bits") as error:
    models.check_reads(model, dataclasses.replace(task, **change))
  assert '\n' not in str(error.value)
