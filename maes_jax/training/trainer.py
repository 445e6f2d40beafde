"""Training as pure functions: one iteration, a window of them, a population of models.

Maths is written for one model; `Trainer` adds the population axis K by `vmap`, once.
"""

from collections.abc import Collection, Mapping, Sequence
import dataclasses
import functools
import math
from typing import Any, NamedTuple

import chex
import jax
from jax import lax
import jax.numpy as jnp
import optax

from maes_jax import batching
from maes_jax import compilation
from maes_jax import devices
from maes_jax import encoder_solver
from maes_jax import evaluation
from maes_jax import randomness
from maes_jax import tasks
from maes_jax import varying
from maes_jax.config import Config
from maes_jax.config import WINDOW
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params
from maes_jax.trained import NEVER
from maes_jax.training import lengths
from maes_jax.training import losses
from maes_jax.training import mining
from maes_jax.training import noise
from maes_jax.training import optimizer as optimizers
from maes_jax.training import microbatches


class TrainState(NamedTuple):
  """One model in training: all that an exact resume needs. A population adds an axis K."""
  params: Params
  optimizer: Any
  seed: chex.Array  # []
  iteration: chex.Array  # [] iterations done; stands still once the model is done
  first_batch: chex.Array  # [] iterations to the first batch at or under stop_loss, or NEVER
  converged: chex.Array  # [] iterations to the loss that `stop_on` names being there, or NEVER
  loss: chex.Array  # [] mean training loss of the last window, over its finite batches
  validation_loss: chex.Array  # [] of the last validation


@dataclasses.dataclass(frozen=True)
class Trainer(devices.Picklable):
  """Everything that stays the same while a population trains.

  Attributes:
    config: resolved, no field of it is left to a preset.
    model: what is trained.
    frozen: top-level keys of the parameters that stay as they are.
    optimizer: one's own instead of clipped gradients and Adam: any Optax transformation, or a
      function from the config to one.
    window_size: iterations of one compiled call.
    devices: what the population and its batches are spread over; all there are by default.
  """
  config: Config
  model: Model
  frozen: Collection[str] = ()
  optimizer: optimizers.Optimizer = None
  window_size: int = WINDOW
  devices: Sequence[jax.Device] = dataclasses.field(default_factory=devices.first)

  def init(self, pretrained: Mapping[str, Any] | None = None) -> TrainState:
    """A fresh population; `pretrained` (no axis K) replaces top-level keys of each model's own."""
    return self._jit(self._init_population)(pretrained or {})

  def abstract(self, pretrained: Mapping[str, Any] | None = None) -> TrainState:
    """The shapes of `init`, computing nothing."""
    return jax.eval_shape(self._init_population, pretrained or {})

  def place(self, state: TrainState) -> TrainState:
    """A population that every process holds whole, dealt out to the devices."""
    return devices.place(state, devices.by_model(self.mesh))

  def _init_population(self, pretrained):
    seeds = self.config.seed + jnp.arange(self.config.seeds, dtype=jnp.int32)
    return batching.vmap(lambda seed: self._init(seed, pretrained))(seeds)

  def _init(self, seed, pretrained, iteration=0):
    params = self.model.init(randomness.key(seed, randomness.Stream.INIT, iteration))
    params = {**params, **pretrained}
    never, unknown = jnp.int32(NEVER), jnp.float32(jnp.inf)
    return TrainState(
        params=params, optimizer=self._optimizer(params).init(params), seed=seed,
        iteration=jnp.int32(iteration), first_batch=never, converged=never,
        loss=unknown, validation_loss=unknown)

  def _optimizer(self, params):
    return optimizers.make(self.config, params, self.frozen, self.optimizer)

  def active(self, state: TrainState) -> chex.Array:
    """Whether the model still trains; one that failed does so where it is to start anew."""
    undone = (state.converged == NEVER) & (state.iteration < self.config.max_iterations)
    failed = optimizers.failed(state.optimizer)
    return undone & ~(failed & ~lengths.starts_again(self.config, state.iteration))

  def window(self, state: TrainState, iteration: chex.Array) -> TrainState:
    """`window_size` iterations of one model from `iteration` on; one that is done stays as it is.

    The iteration is the same for all models that still train. It is no part of their states here,
    so that what depends on it alone, the length of the sequences, is known to be the same too.
    """
    iterations = iteration + jnp.arange(self.window_size, dtype=jnp.int32)
    begun = self.begun(state, iteration)
    start = (begun.params, begun.optimizer)
    (params, opt_state), (batch_losses, asked) = lax.scan(
        lambda carry, i: self.iterate(carry, state.seed, i), start, iterations)
    trained = begun._replace(
        params=params, optimizer=opt_state, iteration=begun.iteration + self.window_size,
        loss=_mean_of_finite(jnp.where(asked, batch_losses, jnp.nan), begun.loss),
        **self._record(begun, iterations, batch_losses, asked))
    return _where(self.active(state), trained, state)

  def begun(self, state: TrainState, iteration: chex.Array) -> TrainState:
    """The model as the window begins with it: another one, where it is time to start anew."""
    if not self.config.restart_every:
      return state
    anew = (iteration > 0) & (lengths.age(self.config, iteration) == 0)
    other = lambda: varying.like(self._another(state, iteration), state)
    return lax.cond(anew, other, lambda: state)

  def _another(self, state, iteration):
    """Other parameters of the same seed; updates that were skipped are still counted."""
    kept = {name: state.params[name] for name in self.frozen}
    fresh = self._init(state.seed, kept, iteration)
    return fresh._replace(optimizer=optimizers.with_skipped(
        fresh.optimizer, optimizers.skipped(state.optimizer)))

  def iterate(self, carry, seed: chex.Array, iteration: chex.Array):
    """One step of gradient descent on a fresh batch.

    Returns:
      (params, optimizer) after it; and the loss of the batch, and whether all tasks ask anything.
    """
    params, opt_state = carry
    episodes = self._batch(params, seed, iteration)
    loss, gradients = microbatches.value_and_grad(
        self._loss, params, episodes, self.mesh, *self._noise(seed, iteration))
    # A loss can be infinite and its gradient finite; the optimizer only sees the gradient.
    with jax.debug_nans(False):  # Who looks for what is no number is not to find this one.
      gradients = jax.tree.map(lambda g: jnp.where(jnp.isfinite(loss), g, jnp.nan), gradients)
    updates, opt_state = self._optimizer(params).update(
        gradients, opt_state, params, value=loss)
    asked = _all_ask(self._answers(episodes))
    return (optax.apply_updates(params, updates), opt_state), (loss, asked)

  def _batch(self, params, seed, iteration):
    """Episodes by task to train on; half of them hard ones, if the config says so."""
    key = lambda stream: randomness.key(seed, stream, iteration)
    batch = self._drawn(iteration, key(randomness.Stream.TRAIN), key(randomness.Stream.RING))
    if not self.config.hard_batches:
      return batch
    draw = lambda key: self._drawn(iteration, *jax.random.split(key))
    worst = lambda episodes: microbatches.map_batch(
        functools.partial(self._worst, params), params, episodes)
    keys = jax.random.split(key(randomness.Stream.HARD), self.config.hard_batches)
    return lax.cond(lengths.full(self.config, iteration),
                    lambda: mining.mixed(batch, draw, worst, keys), lambda: batch)

  def _drawn(self, iteration, key, ring_key):
    """A batch of the lengths that there are at an iteration, in rings as the config says."""
    drawn = lengths.draw(self.config, iteration)
    longest = lengths.bounds(self.config, iteration)[1]
    return self._in_rings(self._sample(key, drawn, self.config.max_length, longest), ring_key)

  def _sample(self, key, drawn, max_length, longest=None):
    """Episodes by task, those that a device has of a batch of such lengths [B].

    All are of the same keys, so that the tasks share main sequences. With `longest`, for training:
    examples of data are then all those up to there, each as likely.
    """
    split = tasks.HELD_OUT if longest is None else tasks.TRAINING
    of_data = drawn if longest is None else jnp.full_like(drawn, longest)
    keys, drawn, of_data = devices.share(
        (jax.random.split(key, drawn.size), drawn, of_data), self.mesh)
    return {name: tasks.sample_batch(
        task, keys, of_data if task.longest(split) else drawn, max_length, split)
            for name, task in self._tasks.items()}

  def _in_rings(self, episodes, key):
    """Episodes by task with as many addresses as `config.ring` says."""
    if self.config.ring == 'whole':
      return episodes
    keys = devices.share(jax.random.split(key, self.config.batch_size), self.mesh)
    draw = lambda task: lambda key, n: lengths.ring(self.config, key, 1 + task.needs(n))
    return {name: batch._replace(ring=batching.vmap(draw(self._tasks[name]))(keys, batch.length))
            for name, batch in episodes.items()}

  def _answers(self, episodes):
    """By task how many answers of a batch count, on all devices."""
    return devices.total({name: batch.mask.sum() for name, batch in episodes.items()}, self.mesh)

  def _noise(self, seed, iteration):
    """By sequence that a device has: a key of its noise, and how much there is; () for none."""
    if not noise.serves(self.model):
      return ()
    key = randomness.key(seed, randomness.Stream.NOISE, iteration)
    keys = jax.random.split(key, self.config.batch_size)
    amounts = jnp.full(len(keys), noise.amount(lengths.grown(self.config, iteration)))
    return devices.share((keys, amounts), self.mesh)

  def _loss(self, params, episodes, answers, *disturbed):
    """What these episodes add to the loss of a batch with so many answers by task."""
    params = optimizers.stop_gradients(params, self.frozen)
    answer_batch = (functools.partial(noise.answer_batch, self.model) if disturbed else
                    self.model.answer_batch)
    logits = answer_batch(params, episodes, self.config.memory, _unroll(episodes), *disturbed)
    return losses.loss(logits, episodes, self._weights, answers)

  def _worst(self, params, episodes):
    """How hard each of these sequences is [B]."""
    logits = self.model.answer_batch(params, episodes, self.config.memory, _unroll(episodes))
    return losses.worst(logits, episodes)

  def _record(self, state, iterations, batch_losses, asked):
    """Both readings of "converged"; neither counts before lengths reach the full range, nor what
    asks nothing."""
    full = lengths.full(self.config, iterations)
    low = full & asked & (batch_losses <= self.config.stop_loss)
    first_batch = jnp.where(low.any(), iterations[low.argmax()] + 1, NEVER)
    mean = batch_losses.mean(where=asked)  # Not a number where none asks.
    done = full[0] & (mean <= self.config.stop_loss) & self._stops_on('training')
    return {
        'first_batch': jnp.where(state.first_batch == NEVER, first_batch, state.first_batch),
        'converged': jnp.where(done, iterations[-1] + 1, state.converged)}

  def validate(self, state: TrainState) -> tuple[chex.Array, dict[str, evaluation.Counts]]:
    """Loss of one model on long sequences in a larger memory, and by task the counts [B] of those
    that a device has."""
    config = self.config
    key = randomness.key(state.seed, randomness.Stream.VALIDATE, state.iteration)
    drawn = jnp.full(config.validation_sequences, config.validation_length, jnp.int32)
    episodes = self._sample(key, drawn, config.validation_length)
    logits = self.model.answer_batch(state.params, episodes, config.validation_memory)
    counts = {
        name: evaluation.count(logits[name], batch.targets, batch.mask, self._tasks[name].answers)
        for name, batch in episodes.items()}
    answers = self._answers(episodes)
    loss = devices.total(losses.loss(logits, episodes, self._weights, answers), self.mesh)
    return jnp.where(_all_ask(answers), loss, jnp.nan), counts

  def _record_validation(self, state: TrainState, validation_losses, due, proved) -> TrainState:
    """A population [K] with the losses of a validation, for the models that were `due` [K]."""
    low = (validation_losses <= self.config.stop_loss) & self._stops_on('validation')
    # The window before has just ended: a model that starts anew only now has had all of it.
    full = lengths.age(self.config, state.iteration - 1) + 1 >= self.config.full_range_from
    done = due & (low & full | proved)
    return state._replace(
        validation_loss=jnp.where(due, validation_losses, state.validation_loss),
        converged=jnp.where(done, state.iteration, state.converged))

  def _stops_on(self, loss):
    return self.config.stop_on == loss

  @functools.cached_property
  def train_population(self):
    """Compiled `window` over the axis K."""
    def of_device(population, iteration):
      window = lambda state: self.window(state, iteration)
      return microbatches.by_model(window, self.active)(population)

    def train(population):
      spread = devices.spread(of_device, self.mesh, (devices.OF_MODELS, devices.WHOLE),
                              devices.OF_MODELS)
      return spread(population, population.iteration.max())
    return self._jit(train)

  @functools.cached_property
  def validate_population(self):
    """Compiled `validate` over the axis K: losses [K] and counts [K, B]."""
    return compilation.jit(devices.spread(
        batching.vmap(self.validate), self.mesh, devices.OF_MODELS,
        (devices.OF_MODELS, devices.OF_ALL)))

  @functools.cached_property
  def record_validation(self):
    """Compiled `_record_validation`."""
    return self._jit(self._record_validation)

  def _jit(self, function):
    return compilation.jit(function, out_shardings=devices.by_model(self.mesh))

  @functools.cached_property
  def mesh(self) -> jax.sharding.Mesh:
    """The devices that share the work, of training and of validation."""
    config = self.config
    # The hardest sequences are those of a whole batch.
    batch = 1 if config.hard_batches else math.gcd(config.batch_size, config.validation_sequences)
    return devices.mesh(config.seeds, batch, self.devices)

  @functools.cached_property
  def _tasks(self):
    return {name: tasks.get(name) for name in self.config.task}

  @functools.cached_property
  def _weights(self):
    weights = self.config.task_weights or [1.] * len(self.config.task)
    return {name: w / sum(weights) for name, w in zip(self.config.task, weights, strict=True)}


def _unroll(episodes):
  """The quickest way through a microbatch."""
  alone = len(jax.tree.leaves(episodes)[0]) == 1
  return encoder_solver.alone if alone else encoder_solver.skipping


def _all_ask(answers):
  """Whether there is an answer that counts, of every task."""
  return functools.reduce(jnp.logical_and, (count > 0 for count in answers.values()))


def _mean_of_finite(values, otherwise):
  finite = jnp.isfinite(values)
  return jnp.where(finite.any(), values.mean(where=finite), otherwise)


def _where(condition, one, other):
  return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)
