"""The training step on a cell small enough to compile in a second, and on scripted losses."""

import contextlib
import dataclasses
import functools
import pickle

from flax import config as flax_config
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maes_jax import errors
from maes_jax import families
from maes_jax import randomness
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.config import WINDOW
from maes_jax.encoder_solver import Model
from maes_jax.training import adam
from maes_jax.training import metrics
from maes_jax.training import microbatches
from maes_jax.training import nans
from maes_jax.training import optimizer
from maes_jax.training.trainer import NEVER
from maes_jax.training.trainer import Trainer
from tests.training.tiny import Tiny

TASK = 'sequence_comparison'
CONFIG = families.resolve(Config(
    task=(TASK,), seeds=3, seed=5, memory=5, batch_size=2, min_length=2, max_length=4,
    start_min_length=2, start_length=2, hold=50, grow=100, warmup=10, learning_rate=.01,
    stop_loss=1e-9, max_iterations=1000, validation_length=6, validation_memory=7,
    validation_sequences=3, hard_batches=0))


MODEL = Model(Tiny(), {TASK: Tiny(outputs=1)}, tied=True)


@functools.cache
def population(**changes):
  return Trainer(dataclasses.replace(CONFIG, **changes), MODEL)


@functools.cache
def fresh():
  return jax.device_get(population().init())


def train(trainer, state):
  """One window; a copy goes in, since the compiled program gives up its argument's buffers."""
  return jax.device_get(trainer.train_population(jax.tree.map(jnp.array, state)))


@functools.cache
def trained():
  return train(population(), fresh())


def model(state, k):
  return jax.tree.map(lambda leaf: leaf[k], state)


def assert_same(found, wanted):
  jax.tree.map(np.testing.assert_array_equal, found, wanted)


class TestInit:

  def test_models_have_seeds_of_their_own(self):
    np.testing.assert_array_equal(fresh().seed, [5, 6, 7])
    kernel = fresh().params['encoder']['hidden']['kernel']
    assert len(np.unique(kernel)) == kernel.size

  def test_nothing_is_known_yet(self):
    for leaf, value in ((fresh().iteration, 0), (fresh().first_batch, NEVER),
                        (fresh().converged, NEVER), (fresh().loss, np.inf)):
      np.testing.assert_array_equal(leaf, [value] * 3)

  def test_abstract_is_its_shapes(self):
    described = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)
    assert described(population().abstract()) == described(fresh())


class TestWindow:

  def test_trains_every_model(self):
    before, after = fresh(), trained()
    np.testing.assert_array_equal(after.iteration, [WINDOW] * 3)
    np.testing.assert_array_equal(after.seed, before.seed)
    assert np.isfinite(after.loss).all()
    for old, new in zip(jax.tree.leaves(before.params), jax.tree.leaves(after.params)):
      assert (old != new).any(axis=tuple(range(1, old.ndim))).all()

  def test_does_the_same_again(self):
    assert_same(train(population(), fresh()), trained())

  def test_learns(self):
    """By 600 iterations the loss is under that of a coin, ln 2, that it started near."""
    state = trained()
    for _ in range(5):
      state = train(population(), state)
    assert (state.loss < trained().loss).all()
    np.testing.assert_array_equal(state.iteration, [6 * WINDOW] * 3)

  @pytest.mark.parametrize('k', range(3))
  def test_model_k_is_what_its_seed_alone_gives(self, k):
    """Only rounding differs: products of one model and of three are summed in other orders."""
    state = jax.tree.map(lambda leaf: leaf[k:k + 1], fresh())
    alone = train(population(seeds=1), state)
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5),
        model(alone, 0), model(trained(), k))

  def test_models_know_nothing_of_each_other(self):
    """One that went wrong does not spoil the next."""
    ruined = jax.tree.map(np.copy, fresh())
    ruined.params['encoder']['hidden']['kernel'][1] = np.nan
    after = train(population(), ruined)
    assert_same(model(after, 1).params, model(ruined, 1).params)
    np.testing.assert_array_equal(optimizer.skipped(after.optimizer), [0, WINDOW, 0])
    np.testing.assert_array_equal(population().active(after), [True, False, True])
    for k in (0, 2):
      assert_same(model(after, k), model(trained(), k))

  def test_a_model_that_is_done_stays_bit_for_bit(self):
    done = trained()._replace(converged=np.array([NEVER, WINDOW, NEVER]))
    after, others = train(population(), done), train(population(), trained())
    assert_same(model(after, 1), model(done, 1))
    for k in (0, 2):
      assert_same(model(after, k), model(others, k))

  def test_second_window_compiles_nothing(self):
    """What comes out of a window is what came out of `init`, weak types included."""
    types = lambda state: jax.tree.map(lambda leaf: (leaf.dtype, leaf.weak_type), state)
    start = population().abstract()
    after = jax.eval_shape(population().train_population, start)
    assert types(start) == types(after)
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(start))  # As checkpoints restore.

  def test_a_whole_memory_is_no_ring_and_asks_nobody_how_large(self, monkeypatch):
    deaf = dataclasses.replace(tasks.get(TASK), stores=lambda n: 1 // 0)
    monkeypatch.setitem(tasks.TASKS, TASK, deaf)
    trainer = Trainer(dataclasses.replace(CONFIG, ring='whole'), MODEL)
    jax.eval_shape(trainer.train_population, trainer.abstract())
    episodes = {TASK: tasks.dry_run(dataclasses.replace(deaf, stores=None), 4)}
    assert trainer._in_rings(episodes, jax.random.key(0))[TASK].ring is None

  def test_windows_of_another_size_give_the_same_bits(self):
    state, trainer = fresh(), Trainer(CONFIG, MODEL, window_size=WINDOW // 4)
    for _ in range(4):
      state = train(trainer, state)
    assert_same(state.params, trained().params)
    assert_same(state.optimizer, trained().optimizer)


class TestFrozen:

  def test_given_parameters_start_every_model_and_stay_bit_for_bit(self):
    given = {'encoder': jax.tree.map(lambda leaf: leaf[0] + 1, fresh().params['encoder'])}
    trainer = Trainer(CONFIG, MODEL, frozen=('encoder',))
    before = jax.device_get(trainer.init(given))
    after = train(trainer, before)
    for k in range(3):
      assert_same(model(before, k).params['encoder'], given['encoder'])
      assert_same(model(after, k).params['encoder'], given['encoder'])
    assert_same(before.params['solvers'], fresh().params['solvers'])
    for old, new in zip(*(jax.tree.leaves(s.params['solvers']) for s in (before, after))):
      assert (old != new).any()


def test_a_trainer_can_be_sent_to_another_process():
  trainer = population()
  trainer.validate_population(trained())  # What it compiled stays behind.
  copy = pickle.loads(pickle.dumps(trainer))
  assert copy == trainer
  assert copy.abstract() == trainer.abstract()


class TestValidation:

  def test_counts_every_bit_of_the_validation_set(self):
    """3 sequences of 6 answers for each model."""
    losses, counts = jax.device_get(population().validate_population(trained()))
    np.testing.assert_array_equal(counts[TASK].bits, np.full((3, 3), 6))
    np.testing.assert_array_equal(counts[TASK].total().sequences, [3] * 3)
    assert np.isfinite(losses).all()
    assert (counts[TASK].total().bits_right <= 18).all()

  @pytest.mark.parametrize('stop_on, done_at', [('training', NEVER), ('validation', 200)])
  def test_stops_a_model_only_where_the_config_says(self, stop_on, done_at):
    """Model 0 is low enough, 1 is not, 2 is but was not due."""
    trainer = population(stop_on=stop_on, stop_loss=.5)
    state = fresh()._replace(iteration=np.array([200, 200, 200]))
    state = trainer.record_validation(
        state, np.array([.5, .6, .1]), np.array([True, True, False]), np.zeros(3, bool))
    np.testing.assert_array_equal(state.converged, [done_at, NEVER, NEVER])
    np.testing.assert_allclose(state.validation_loss, [.5, .6, np.inf])

  def test_stops_nothing_before_lengths_are_full(self):
    trainer = population(stop_on='validation', stop_loss=.5)
    state = fresh()._replace(iteration=np.array([100, 149, 150]))
    state = trainer.record_validation(state, np.zeros(3), np.ones(3, bool), np.zeros(3, bool))
    np.testing.assert_array_equal(state.converged, [NEVER, NEVER, 150])

  def test_a_proof_stops_a_model_whatever_its_loss_and_lengths(self):
    """Model 0 is proved right, 1 is not, 2 was not due."""
    trainer = population(stop_on='certified', stop_loss=.5)
    state = fresh()._replace(iteration=np.array([100, 200, 100]))
    state = trainer.record_validation(state, np.zeros(3), np.array([True, True, False]),
                                      np.array([True, False, True]))
    np.testing.assert_array_equal(state.converged, [100, NEVER, NEVER])


@dataclasses.dataclass(frozen=True)
class Scripted(Trainer):
  """Losses come from a list, and a step adds 1 to every parameter."""
  script: tuple[float, ...] = ()

  def iterate(self, carry, seed, iteration):
    del seed
    params, opt_state = carry
    params = jax.tree.map(lambda leaf: leaf + 1, params)
    return (params, opt_state), (jnp.array(self.script)[iteration], jnp.bool_(True))


def windows(script, **changes):
  """The states after each window of a single model with these losses."""
  changes = {'seeds': 1, 'hold': 0, 'grow': 0, 'stop_loss': .5, **changes}
  trainer = Scripted(dataclasses.replace(CONFIG, **changes), MODEL, script=tuple(script))
  states, step = [model(fresh(), 0)], jax.jit(trainer.window)
  for _ in range(len(script) // WINDOW):
    states.append(jax.device_get(step(states[-1], states[-1].iteration)))
  return trainer, states[1:]


def script(*parts):
  return np.concatenate([np.full(count, loss) for count, loss in parts])


class TestConverged:

  def test_first_batch_is_counted_in_iterations_done(self):
    """The 43rd batch is the first at the threshold; the mean of 100 is not there yet."""
    _, (state,) = windows(script((42, 1.), (1, .5), (57, 1.)))
    assert (state.first_batch, state.converged) == (43, NEVER)
    np.testing.assert_allclose(state.loss, .995, rtol=1e-6)

  def test_the_very_first_and_the_last_of_a_window(self):
    _, (state,) = windows(script((1, .1), (99, 1.)))
    assert state.first_batch == 1
    _, (state,) = windows(script((99, 1.), (1, .1)))
    assert state.first_batch == 100

  def test_first_batch_stays_the_first(self):
    _, states = windows(script((50, 1.), (1, .1), (49, 1.), (10, .1), (90, 1.)))
    assert [state.first_batch for state in states] == [51, 51]

  def test_converged_is_the_end_of_the_first_window_with_a_low_mean(self):
    trainer, states = windows(script((100, 1.), (50, .9), (50, .1), (100, .2)))
    assert [state.converged for state in states] == [NEVER, 200, 200]
    assert [bool(trainer.active(state)) for state in states] == [True, False, False]

  def test_done_stands_still(self):
    """The third window would have added 100 to every parameter and raised the loss."""
    _, states = windows(script((100, 1.), (100, .1), (100, 9.)))
    assert_same(states[2], states[1])
    assert states[1].iteration == 200

  def test_short_sequences_do_not_count(self):
    """Lengths are full from iteration 150 on: first the batches count, then whole windows."""
    _, states = windows(script((300, .1)), hold=50, grow=100)
    assert [state.first_batch for state in states] == [NEVER, 151, 151]
    assert [state.converged for state in states] == [NEVER, NEVER, 300]

  def test_ends_at_max_iterations(self):
    trainer, states = windows(script((300, 1.)), max_iterations=200)
    assert [state.iteration for state in states] == [100, 200, 200]
    assert [bool(trainer.active(state)) for state in states] == [True, False, False]
    assert states[2].converged == NEVER
    assert_same(states[2], states[1])

  def test_a_window_is_100_iterations(self):
    _, (state,) = windows(script((100, 1.)))
    assert WINDOW == 100
    np.testing.assert_array_equal(state.params['encoder']['hidden']['bias'], [100.] * 3)

  def test_a_loss_that_is_no_number_is_not_low(self):
    _, (state,) = windows(script((100, np.nan)))
    assert (state.first_batch, state.converged) == (NEVER, NEVER)


class TestRestart:
  """A model that is not done after so many iterations starts anew, from other parameters."""

  @staticmethod
  @functools.cache
  def states():
    """After each of five windows, of which the third and the fifth start anew."""
    states = [fresh()]
    for _ in range(5):
      states.append(train(population(restart_every=200), states[-1]))
    return states[1:]

  def test_until_then_nothing_is_different(self):
    assert_same(self.states()[1], train(population(), trained()))

  @pytest.mark.parametrize('iteration', [200, 400])
  def test_parameters_are_those_of_the_seed_and_the_iteration(self, iteration):
    still = population(restart_every=200, learning_rate=1e-7)
    state = train(still, fresh()._replace(iteration=np.full(3, iteration, np.int32)))
    key = lambda seed: randomness.key(seed, randomness.Stream.INIT, iteration)
    started = jax.vmap(lambda seed: MODEL.init(key(seed)))(state.seed)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=2e-5), state.params, started)
    kernel = lambda params: params['encoder']['hidden']['kernel']
    assert (abs(kernel(state.params) - kernel(fresh().params)) > 1e-3).mean() > .9

  def test_the_optimizer_is_new_and_iterations_count_on(self):
    counts = [int(np.unique(optimizer._counters(state.optimizer).count)[0])
              for state in self.states()]
    assert counts == [100, 200, 100, 200, 100]
    assert [set(state.iteration.tolist()) for state in self.states()] == [
        {100}, {200}, {300}, {400}, {500}]

  def test_who_is_done_stays_bit_for_bit(self):
    done = self.states()[1]._replace(converged=np.array([NEVER, 200, NEVER]))
    after = train(population(restart_every=200), done)
    assert_same(model(after, 1), model(done, 1))
    assert_same(model(after, 0), model(self.states()[2], 0))

  def test_no_start_is_cut_short(self):
    """A second start would end in its middle."""
    last = train(population(restart_every=200, max_iterations=300), self.states()[1])
    assert_same(last.params, train(population(max_iterations=300), self.states()[1]).params)

  def test_what_is_frozen_stays(self):
    trainer = Trainer(dataclasses.replace(CONFIG, restart_every=200), MODEL, frozen=('encoder',))
    given = {'encoder': model(trained().params['encoder'], 0)}
    state = jax.device_get(trainer.init(given))
    for _ in range(3):
      state = train(trainer, state)
    for k in range(3):
      assert_same(model(state, k).params['encoder'], given['encoder'])

  def test_lengths_start_anew_and_a_low_loss_counts_only_once_they_are_full(self):
    low_from_205 = script((205, 1.), (195, .1), (100, 1.))
    _, states = windows(low_from_205, hold=50, grow=100, restart_every=200)
    assert [state.first_batch for state in states] == [NEVER, NEVER, NEVER, 351, NEVER]
    assert [state.converged for state in states] == [NEVER] * 5

  def test_a_validation_at_its_last_iteration_counts(self):
    trainer = population(stop_on='validation', restart_every=200)
    state = fresh()._replace(iteration=np.array([200, 300, 400]))
    state = trainer.record_validation(state, np.zeros(3), np.ones(3, bool), np.zeros(3, bool))
    np.testing.assert_array_equal(state.converged, [200, NEVER, 400])

  @staticmethod
  def counted(state, **counters):
    """The same population, where updates were skipped before."""
    counts = lambda node: isinstance(node, adam.State)
    return state._replace(optimizer=jax.tree.map(
        lambda node: node._replace(**counters) if counts(node) else node, state.optimizer,
        is_leaf=counts))

  def test_updates_that_were_skipped_before_are_still_counted(self):
    before = self.counted(self.states()[1], skipped=np.array([0, 7, 3], np.int32))
    after = train(population(restart_every=200), before)
    np.testing.assert_array_equal(optimizer.skipped(after.optimizer), [0, 7, 3])
    assert not any('skipped' in row for row in metrics.rows(before, after, {}, np.zeros(3), {}))
    assert_same(after.params, self.states()[2].params)

  def test_who_failed_starts_anew_as_long_as_a_start_is_left(self):
    failed = np.array([0, optimizer.TOO_MANY, 0], np.int32)
    hopeless = self.counted(self.states()[1], skipped_in_a_row=failed)
    assert_same(train(population(restart_every=200), hopeless), self.states()[2])
    last = train(population(restart_every=200, max_iterations=400),
                 self.counted(self.states()[2], skipped_in_a_row=failed))
    np.testing.assert_array_equal(last.iteration, [400, 300, 400])

  def test_an_update_that_is_not_finite_is_found_in_what_starts_anew(self, monkeypatch):
    """And not where what was there before would have gone on."""
    monkeypatch.setattr(nans, '_source', lambda *step: 'its line')
    bias = lambda params: params['solvers'][TASK]['output']['bias'].sum()
    of_zero = optax.stateless(lambda updates, params: jax.tree.map(
        lambda leaf: 0 * leaf * bias(params) / bias(params), updates))
    trainer = Trainer(dataclasses.replace(CONFIG, restart_every=200, seeds=1), MODEL,
                      optimizer=of_zero, window_size=1)
    before = trainer.init()
    before.params['solvers'][TASK]['output']['bias'] += 1
    before = before._replace(iteration=before.iteration + 200)
    with pytest.raises(errors.UserError, match='model 0, iteration 200: its line'):
      nans.explain(trainer, before, trainer.train_population(before))

  def test_on_an_accelerator_too(self, monkeypatch):
    """Which takes all models at once."""
    monkeypatch.setattr(microbatches, '_on_cpu', lambda: False)
    trainer = Trainer(dataclasses.replace(CONFIG, restart_every=200), MODEL)
    state = train(trainer, self.states()[1])
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5),
                 state.params, self.states()[2].params)


def test_joint_loss_weighs_tasks_as_the_config_says():
  config = dataclasses.replace(CONFIG, task=('odd_recall', TASK), task_weights=(1., 3.))
  assert Trainer(config, MODEL)._weights == {'odd_recall': .25, TASK: .75}


class TestNothingAsked:
  """Of batches in which no answer counts training takes no notice."""

  @pytest.fixture(autouse=True)
  def own(self, monkeypatch):
    monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))

  @staticmethod
  def train(name, share, stop_loss):
    def ask(key, words, length):
      mask = tasks.within(length, len(words)) & (jax.random.uniform(key) < share)
      return tasks.Question(aux=words, targets=words, mask=mask)
    tasks.register(tasks.Task(name, 8, ask))
    config = dataclasses.replace(CONFIG, task=(name,), seeds=1, batch_size=1, min_length=2,
                                 hold=0, grow=0, start_length=4, stop_loss=stop_loss)
    trainer = Trainer(config, Model(Tiny(), {name: Tiny(outputs=8)}, tied=True))
    return train(trainer, trainer.init())

  def test_it_is_not_skipped_and_does_not_converge(self):
    state = self.train('never_asked', 0., stop_loss=1.)
    assert optimizer.skipped(state.optimizer) == 0
    assert (state.converged, state.first_batch) == (NEVER, NEVER)
    assert np.isinf(state.loss)

  def test_others_are_what_counts(self):
    often, always = (self.train(name, share, stop_loss=1.)
                     for name, share in (('half_asked', .5), ('always_asked', 1.)))
    assert optimizer.skipped(often.optimizer) == 0
    assert often.converged == always.converged == WINDOW
    assert often.loss > .5 * always.loss
    assert self.train('half_asked_low', .5, stop_loss=.1).first_batch == NEVER


def test_a_seed_is_the_same_model_whatever_generator_is_jaxs_default():
  wanted = jax.random.key_data(randomness.key(3, randomness.Stream.TRAIN, 7))
  before = jax.config.jax_default_prng_impl
  jax.config.update('jax_default_prng_impl', 'rbg')
  try:
    found = jax.random.key_data(randomness.key(3, randomness.Stream.TRAIN, 7))
  finally:
    jax.config.update('jax_default_prng_impl', before)
  np.testing.assert_array_equal(found, wanted)


@contextlib.contextmanager
def shifted_seeds():
  jax.config.update('jax_random_seed_offset', 5)
  try:
    yield
  finally:
    jax.config.update('jax_random_seed_offset', 0)


@pytest.mark.parametrize('settings', [
    lambda: jax.threefry_partitionable(False), shifted_seeds,
    lambda: flax_config.temp_flip_flag('fix_rng_separator', True)])
def test_numbers_drawn_otherwise_from_a_seed_are_refused(settings):
  with settings(), pytest.raises(errors.UserError, match='as it is by default'):
    population().init()
