"""Kinds of items: losses and what is right against NumPy, and whole runs with each."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import maes_jax
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import families
from maes_jax import items
from maes_jax import models
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import losses
from maes_jax.training import metrics
from maes_jax.training.trainer import Trainer
from tests.two_phases import aux
from tests.two_phases import main

COUNT = 4096
KINDS = {
    'bits': items.Bits(5), 'one-hot tokens': items.Tokens(7),
    'embedded tokens': items.Tokens(7, embedded=3), 'vectors': items.Vectors(4, tolerance=.1)}
ANY_KIND = pytest.mark.parametrize('name', KINDS)


def serial(kind, **options):
  """Serial Recall of items of a kind."""
  def ask(key, stored, length):
    del key
    return tasks.Question(jnp.zeros_like(stored), stored, tasks.within(length, len(stored)))
  return tasks.Task('of_items', kind.outputs, ask, items=kind, answers=kind, **options)


@pytest.fixture
def own(monkeypatch):
  """Registers Serial Recall of items of a kind, for the time of the test."""
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
  return lambda kind, **options: tasks.register(serial(kind, **options))


def drawn(kind, seed=0):
  """Answers [8, 6, Y], and targets of that kind; some of the answers are near the targets."""
  rng = np.random.default_rng(seed)
  targets = np.asarray(kind.draw(jax.random.key(seed), 48), np.float64).reshape(8, 6, -1)
  noise = rng.normal(size=targets.shape)
  near = rng.random((8, 6, 1)) < .5
  return np.where(near, targets + .08 * noise, 2 * noise), targets


def reference(kind, outputs, targets):
  """Losses and rights of every unit, in double precision."""
  if isinstance(kind, items.Bits):
    ones = 1 / (1 + np.exp(-outputs))
    return -np.log(np.where(targets == 1, ones, 1 - ones)), (ones > .5) == (targets == 1)
  if isinstance(kind, items.Vectors):
    return (outputs - targets)**2, np.abs(outputs - targets) <= kind.tolerance
  shares = np.exp(outputs) / np.exp(outputs).sum(-1, keepdims=True)
  token = targets.argmax(-1)
  share = np.take_along_axis(shares, token[..., None], -1)
  return -np.log(share), (shares.argmax(-1) == token)[..., None]


@ANY_KIND
class TestEveryKind:

  def test_losses_and_rights_are_those_of_numpy(self, name):
    kind = KINDS[name]
    outputs, targets = drawn(kind)
    wanted, right = reference(kind, outputs, targets)
    with jax.enable_x64(True):
      np.testing.assert_allclose(kind.losses(outputs, targets), wanted, rtol=1e-10)
    np.testing.assert_array_equal(kind.right(outputs, targets), right)
    assert 0 < right.mean() < 1

  def test_the_loss_is_the_mean_over_units_of_answers_that_count(self, name):
    kind = KINDS[name]
    outputs, targets = drawn(kind)
    mask = np.random.default_rng(1).random((8, 6)) < .5
    wanted, _ = reference(kind, outputs, targets)
    with jax.enable_x64(True):
      found = losses.masked_mean(outputs, targets, jnp.array(mask), kind)
      halves = [losses.masked_mean(outputs[half], targets[half], jnp.array(mask[half]), kind,
                                   answers=mask.sum()) for half in (slice(3), slice(3, 8))]
    np.testing.assert_allclose(found, wanted[mask].mean(), rtol=1e-10)
    np.testing.assert_allclose(sum(map(float, halves)), found, rtol=1e-10)

  def test_counts_are_of_units_items_and_sequences(self, name):
    kind = KINDS[name]
    outputs, targets = drawn(kind)
    outputs[3] = kind.decoded(outputs[3])  # One sequence that is right throughout:
    outputs[0] = 20 * targets[0] - 10 * (kind.unit == 'bit') if kind.unit != 'number' else (
        targets[0])
    mask = np.random.default_rng(1).random((8, 6)) < .5
    _, right = reference(kind, outputs, targets)
    counts = evaluation.count(jnp.float32(outputs), jnp.float32(targets), mask, kind).total()
    whole = right.all(-1)
    assert counts == (
        mask.sum() * right.shape[-1], right[mask].sum(), mask.sum(), (whole & mask).sum(),
        8, (whole | ~mask).all(1).sum())
    assert 0 < counts.sequences_right < 8

  def test_items_are_drawn_fairly(self, name):
    kind = KINDS[name]
    found = np.asarray(kind.draw(jax.random.key(0), COUNT))
    assert found.shape == (COUNT, kind.width)
    assert found.dtype == np.float32
    share = {'bit': 1 / 2, 'token': 1 / 7, 'number': 1 / 2}[kind.unit]
    deviation = {'bit': 1 / 2, 'token': np.sqrt(6) / 7, 'number': np.sqrt(1 / 12)}[kind.unit]
    assert np.abs(found.mean(0) - share).max() < 5 * deviation / np.sqrt(COUNT)
    if kind.unit != 'number':
      assert set(np.unique(found)) == {0, 1}
    if kind.unit == 'token':
      np.testing.assert_array_equal(found.sum(1), 1)

  def test_an_episode_has_its_width(self, name):
    kind = KINDS[name]
    task = serial(kind, control_bits=3)
    episode = tasks.sample(task, jax.random.key(0), 2, 4)
    assert task.inputs == 3 + kind.width
    assert main(episode).shape == aux(episode).shape == (5, 3 + kind.width)
    assert main(episode)[0].tolist() == [1] + [0] * (2 + kind.width)
    assert aux(episode)[0].tolist() == [0, 1] + [0] * (1 + kind.width)
    np.testing.assert_array_equal(episode.targets[1:3], main(episode)[1:3, 3:])
    assert not main(episode)[3:].any()

  @pytest.mark.parametrize('model', ['maes', 'lstm'])
  def test_cells_read_and_answer_in_its_width(self, own, name, model):
    """An embedding stands between the items and the cells, control bits go past it."""
    kind = KINDS[name]
    task = own(kind)
    built = models.build(Config(model=model, task=(task.name,), units=6))
    params = built.init(jax.random.key(0))
    read = 2 + (3 if kind.embedding else kind.width)
    first = params['encoder']['layer_0_below' if model == 'lstm' else 'hidden']['kernel']
    assert first.shape[0] == (read if model == 'lstm' else read + 6 + 10)
    assert ('embed' in params) == (kind.embedding is not None)
    episode = tasks.sample(task, jax.random.key(0), 2, 4)
    assert built.answer(params, {task.name: episode}, 8)[task.name].shape == (5, kind.outputs)


@ANY_KIND
@pytest.mark.parametrize('target', [0, 1])
def test_what_is_no_number_is_never_right(name, target):
  kind = KINDS[name]
  targets = jnp.zeros((1, 1, kind.outputs)).at[..., 0].set(target)
  broken = [jnp.full_like(targets, jnp.nan), targets.at[..., 0].set(jnp.nan)]
  for outputs in broken:
    right = kind.right(outputs, targets)
    assert not right[..., 0].any()
    assert not evaluation.count(outputs, targets, jnp.ones((1, 1), bool), kind).items_right.any()


def test_an_embedding_is_a_product_of_the_item_alone(own):
  task = own(KINDS['embedded tokens'])
  model = models.build(Config(task=(task.name,)))
  params = model.init(jax.random.key(0))
  (kernel,) = jax.tree.leaves(params['embed'])
  assert kernel.shape == (7, 3)
  inputs = main(tasks.sample(task, jax.random.key(0), 4, 4))
  np.testing.assert_allclose(
      model.read(params, inputs), np.concatenate([inputs[:, :2], inputs[:, 2:] @ kernel], 1),
      rtol=1e-6)


def test_tasks_of_one_model_store_the_same(own):
  own(KINDS['vectors'])
  with pytest.raises(errors.UserError, match=r"'of_items' and 'odd_recall' store different items"):
    models.build(Config(task=('of_items', 'odd_recall')))


@pytest.mark.parametrize('make, line', [
    (lambda: items.Bits(0), r'bits of a word: 0; .* of 1 to 1,073,741,824'),
    (lambda: items.Bits(True), 'bits of a word: True'),
    (lambda: items.Tokens(0), 'tokens of a vocabulary: 0'),
    (lambda: items.Tokens(3, embedded=-1), r'embedded in: -1; .* of 0 to 1,073,741,824'),
    (lambda: items.Vectors(2.5), r'numbers of a vector: 2\.5'),
    (lambda: items.Vectors(2, tolerance=0), 'tolerance of vectors is 0; .* above 0'),
    (lambda: items.Vectors(2, tolerance=float('nan')), 'tolerance of vectors is nan'),
    (lambda: items.Vectors(2, tolerance=float('inf')), 'tolerance of vectors is inf; .* finite'),
    (lambda: items.Vectors(2, tolerance='0.1'), "tolerance of vectors is '0.1'; .* number"),
    (lambda: tasks.Task('mine', 3, print, answers=items.Bits(4)),
     "task 'mine' has outputs=3 and answers of 4 numbers"),
])
def test_impossible_kinds_are_errors(make, line):
  with pytest.raises(errors.UserError, match=line):
    make()


CONFIG = Config(
    task=('of_items',), width=6, units=4, seeds=2, min_length=1, max_length=3, start_length=2,
    batch_size=4, memory=6, validation_length=3, validation_memory=7, validation_sequences=4,
    validate_every=100, max_iterations=200)


@ANY_KIND
def test_a_whole_run(own, tmp_path, name):
  """Trains, validates, logs, saves, comes back and is tested; everything trained moves."""
  kind = KINDS[name]
  task = own(kind)
  maes_jax.train(CONFIG, tmp_path / 'run')
  rows = metrics.read(tmp_path / 'run' / 'metrics.jsonl')
  validated = [row for row in rows if 'validation_loss' in row]
  assert {row['iteration'] for row in validated} == {100, 200}
  for row in validated:
    assert {key for key in row if key.endswith('/of_items')} == {
        f'{unit}_accuracy/of_items' for unit in (kind.unit, 'item', 'sequence')}
    assert (row['sequence_accuracy/of_items'] <= row['item_accuracy/of_items'] <=
            row[f'{kind.unit}_accuracy/of_items'] <= 1)
  for k in range(2):
    first, *_, last = (row['loss'] for row in rows if row['model'] == k)
    assert last < first
  trained = maes_jax.load(tmp_path / 'run')
  fresh = trained.model.init(jax.random.key(0))
  assert jax.tree.structure(fresh) == jax.tree.structure(trained.params)
  tester = maes_jax.Tester(trained.model, task, max_length=4, addresses=8, batch_size=4)
  counts = tester.test(trained.params, 4, batches=2)
  units = 1 if kind.unit == 'token' else kind.outputs
  assert (counts.units, counts.items, counts.sequences) == (8 * 4 * units, 8 * 4, 8)
  recording = maes_jax.record(trained.model, trained.params, task, length=3, addresses=6)
  asked = recording.asked
  np.testing.assert_array_equal(
      recording.right[asked], reference_right(kind, recording.answers, recording.targets)[asked])


def reference_right(kind, answers, targets):
  """From answers in the terms of the targets: probabilities, or the numbers themselves."""
  if isinstance(kind, items.Bits):
    return (answers > .5) == (targets == 1)
  if isinstance(kind, items.Vectors):
    return np.abs(answers - targets) <= kind.tolerance
  return (answers.argmax(-1) == targets.argmax(-1))[..., None]


@pytest.mark.parametrize('frozen', [(), ('embed',), ('encoder', 'embed')])
def test_an_embedding_trains_unless_it_is_frozen(own, frozen):
  own(KINDS['embedded tokens'])
  training = Trainer(families.resolve(CONFIG), models.build(CONFIG), frozen=frozen)
  before = jax.device_get(training.init())
  after = jax.device_get(training.train_population(jax.tree.map(jnp.array, before)))
  for key in ('embed', 'encoder', 'solvers'):
    for old, new in zip(*(jax.tree.leaves(state.params[key]) for state in (before, after))):
      assert (old == new).all() if key in frozen else (old != new).any()


def test_an_encoder_is_taken_over_with_its_embedding(own, tmp_path):
  """What it learnt to read is of no use without it; both are frozen, the solver alone trains."""
  own(KINDS['embedded tokens'])
  short = dataclasses.replace(CONFIG, seeds=1, max_iterations=100)
  maes_jax.train(short, tmp_path / 'encoder')
  config = dataclasses.replace(short, encoder=str(tmp_path / 'encoder'))
  maes_jax.train(config, tmp_path / 'run')
  first, second = (maes_jax.load(tmp_path / name).params for name in ('encoder', 'run'))
  for key in ('encoder', 'embed'):
    jax.tree.map(np.testing.assert_array_equal, first[key], second[key])
  assert any((old != new).any()
             for old, new in zip(*map(jax.tree.leaves, (first['solvers'], second['solvers']))))


def test_a_model_of_embedded_tokens_can_be_pickled():
  module = items.Tokens(6, embedded=3).embedding
  token = items.Tokens(6).one_hot(jnp.arange(6))
  params = module.init(jax.random.key(0), token)
  restored = pickle.loads(pickle.dumps(module))
  assert restored == module
  np.testing.assert_array_equal(restored.apply(params, token), params['params']['kernel'])
