"""Whole runs of a tiny model: stopped, out of room, gone wrong, and always taken up again."""

import concurrent.futures
import errno
import os
import shutil
import signal
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maes_jax import checkpoints
from maes_jax import errors
from maes_jax import models
from maes_jax import families
from maes_jax.config import Config
from maes_jax.training import interrupts
from maes_jax.training import loop
from maes_jax.training import metrics
from maes_jax.training import microbatches
from maes_jax.training import optimizer
from maes_jax.training import origin
from maes_jax.training.progress import Progress
from maes_jax.training.trainer import Trainer
from maes_jax.training.workdir import Workdir
from tests.reliability import remains
from tests.training.tiny import Tiny

OPTIONS = {
    'model': 'tiny', 'task': ('sequence_comparison',), 'seeds': 2, 'memory': 5, 'batch_size': 2,
    'min_length': 2, 'max_length': 4, 'start_length': 2, 'hold': 50, 'grow': 100, 'stop_loss': 0.,
    'max_iterations': 400, 'validation_length': 4, 'validation_memory': 5,
    'validation_sequences': 3, 'validate_every': 200}


@pytest.fixture(scope='module', autouse=True)
def compiled(tmp_path_factory):
  """Every run of this file compiles the same programs."""
  options = {'jax_compilation_cache_dir': str(tmp_path_factory.mktemp('cache')),
             'jax_persistent_cache_min_compile_time_secs': 0.}
  before = {name: getattr(jax.config, name) for name in options}
  for name, value in options.items():
    jax.config.update(name, value)
  yield
  for name, value in before.items():
    jax.config.update(name, value)


@pytest.fixture(autouse=True)
def family(monkeypatch):
  monkeypatch.setitem(families.FAMILIES, 'tiny', families.Family(Tiny, tied=True))


def train(folder, options=None, optimizer=None, **more):
  config = families.resolve(Config(**{**OPTIONS, **(options or {})}))
  trainer = Trainer(config, models.build(config), optimizer=optimizer)
  workdir = Workdir(folder / 'run')
  with workdir.claim(config):
    return jax.device_get(loop.train(trainer, workdir, **{'save_seconds': 0., **more}))


@pytest.fixture(scope='module')
def alone(compiled, tmp_path_factory):
  """A run that nothing happened to."""
  folder = tmp_path_factory.mktemp('alone')
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(families.FAMILIES, 'tiny', families.Family(Tiny, tied=True))
    train(folder)
  return folder


def on_update(monkeypatch, number, act):
  """Calls `act` when progress is shown for the n-th time, in the middle of the loop."""
  write, seen = Progress.write, []

  def acting(*args):
    seen.append(args)
    if len(seen) == number:
      act()
    write(*args)

  monkeypatch.setattr(Progress, 'write', acting)


def full():
  raise OSError(errno.ENOSPC, 'No space left on device')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(tmp_path, alone, monkeypatch, number):
  with monkeypatch.context() as patch, pytest.raises(
      interrupts.Interrupted, match='stopped at iteration 200, all saved; run the same command'):
    on_update(patch, 2, lambda: os.kill(os.getpid(), number))
    train(tmp_path, save_seconds=1e9)
  train(tmp_path)
  assert remains.differences(alone, tmp_path) == []


def test_a_thread_of_its_own_trains_as_well(tmp_path, alone):
  """A sweep's agent or a web server trains where Python allows no handlers."""
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    pool.submit(train, tmp_path).result()
  assert remains.differences(alone, tmp_path) == []


def test_a_wish_before_the_first_window(tmp_path, alone, monkeypatch):
  """A signal while it is read where the run stands: nothing is trained, and nothing is lost."""
  restore = loop.restore

  def interrupted(*args):
    os.kill(os.getpid(), signal.SIGINT)
    return restore(*args)

  def stops(match, act):
    with monkeypatch.context() as patch, pytest.raises(interrupts.Interrupted, match=match):
      act(patch)
      train(tmp_path)

  before = lambda patch: patch.setattr(loop, 'restore', interrupted)
  stops('stopped before the first window', before)
  stops('at iteration 200, all saved',
        lambda patch: on_update(patch, 2, lambda: os.kill(os.getpid(), signal.SIGINT)))
  stops('stopped at iteration 200, where it was taken up', before)
  train(tmp_path)
  assert remains.differences(alone, tmp_path) == []


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, alone, monkeypatch):
  with monkeypatch.context() as patch:
    on_update(patch, 3, lambda: patch.setattr(os, 'fsync', lambda _: full()))
    with pytest.raises(errors.UserError, match=r'cannot write in .*No space left.*free'):
      train(tmp_path)
  assert checkpoints.steps(tmp_path / 'run' / 'checkpoints') == [200, 100]
  train(tmp_path)
  assert remains.differences(alone, tmp_path) == []


def test_looking_more_often_changes_nothing(tmp_path, alone):
  """Saved once and validated at every window, or saved always and validated twice."""
  seldom = train(tmp_path, {'validate_every': 100}, save_seconds=1e9)
  found = checkpoints.digests({'params': seldom.params, 'optimizer': seldom.optimizer})
  saved = checkpoints.saved_digests(alone / 'run' / 'checkpoints')[400]
  assert found.items() <= saved.items()


def test_a_run_out_of_time_is_saved_and_goes_on(tmp_path, alone, monkeypatch, capsys):
  """Time is up in the second window; with none left nothing is trained, with more the rest is."""
  clock = iter([0., 1., 1., 1., *[9.] * 10])  # To the end of the first window, then on.
  with monkeypatch.context() as patch:
    patch.setattr(loop, 'time', types.SimpleNamespace(monotonic=lambda: next(clock)))
    state = train(tmp_path, save_seconds=1e9, seconds=5., show_progress=False)
  assert (state.iteration == 200).all()
  again = train(tmp_path, seconds=0)
  np.testing.assert_array_equal(again.iteration, state.iteration)
  assert capsys.readouterr().err == ''
  train(tmp_path)
  assert remains.differences(alone, tmp_path) == []


@pytest.mark.parametrize('name', ['seconds', 'save_seconds'])
@pytest.mark.parametrize('seconds', [-1, float('nan'), '5'])
def test_seconds_that_are_none(tmp_path, name, seconds):
  with pytest.raises(errors.UserError, match=f'^{name} is .*; it must be a number of 0 or more'):
    train(tmp_path, **{name: seconds})


def test_a_model_that_fails_ends_alone(tmp_path, capsys):
  """Steps as large as numbers go: what comes of them overflows."""
  state = train(tmp_path, {'learning_rate': 1e38, 'warmup': 0})
  assert optimizer.failed(state.optimizer).all()
  assert (state.iteration < 400).all()
  assert '2 models failed' in capsys.readouterr().err


def test_debug_nans_names_the_line(tmp_path):
  with pytest.raises(errors.UserError, match=r'model \d, iteration \d+: .*nan.* in .*\.py:\d+'):
    train(tmp_path, {'learning_rate': 1e38, 'warmup': 0}, debug_nans=True)


@pytest.mark.parametrize('small', [True, False])
def test_debug_nans_names_the_line_of_ones_own_code(tmp_path, monkeypatch, small):
  """Whether sequences of a batch go one by one or side by side."""
  if not small:
    monkeypatch.setattr(microbatches, 'LARGE_MODEL_BYTES', 0)
  undefined = optax.stateless(lambda updates, params: jax.tree.map(
      lambda leaf: leaf / 0 * 0, updates))
  with pytest.raises(errors.UserError, match=rf'iteration 0: .* in <lambda>, {__file__}:\d+;'):
    train(tmp_path, optimizer=undefined, debug_nans=True)


def test_debug_nans_says_where_none_is(tmp_path):
  infinite = optax.stateless(
      lambda updates, params: jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.inf), updates))
  with pytest.raises(errors.UserError, match='a number is infinite, none is NaN'):
    train(tmp_path, optimizer=infinite, debug_nans=True)


def test_a_run_that_goes_on_elsewhere_says_so(tmp_path, monkeypatch, caplog):
  """Taken up on another number of cores; once it is done there is nothing to say."""
  with monkeypatch.context() as patch, pytest.raises(interrupts.Interrupted):
    on_update(patch, 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    train(tmp_path)
  monkeypatch.setattr(origin, '_cores', lambda: 77)
  train(tmp_path)
  assert 'up to iteration 100 and goes on with 1 x cpu on 77 cores' in caplog.text
  caplog.clear()
  monkeypatch.setattr(origin, '_cores', lambda: 78)
  train(tmp_path)
  assert caplog.text == ''


def test_a_run_goes_on_only_with_the_optimizer_that_it_began_with(tmp_path, monkeypatch):
  """Whether another one's state has more, less, or just other names."""
  own = optax.sgd(.01, momentum=.9)
  whole = train(tmp_path / 'whole', optimizer=own)
  with monkeypatch.context() as patch, pytest.raises(interrupts.Interrupted):
    on_update(patch, 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    train(tmp_path, optimizer=own)
  for other in (None, optax.sgd(.01), optax.rmsprop(.01)):
    with pytest.raises(errors.UserError, match='was trained with another optimizer') as error:
      train(tmp_path, optimizer=other)
    assert '\n' not in str(error.value)
  jax.tree.map(np.testing.assert_array_equal, train(tmp_path, optimizer=own), whole)


def test_a_run_of_ours_goes_on_with_no_other(tmp_path, alone):
  shutil.copytree(alone, tmp_path, dirs_exist_ok=True)
  with pytest.raises(errors.UserError, match='was trained with another optimizer'):
    train(tmp_path, optimizer=optax.sgd(.01))
  assert remains.differences(alone, tmp_path) == []


@pytest.mark.parametrize('every, wanted', [(100, [100, 200, 300, 400]), (150, [200, 300]),
                                           (250, [300]), (399, [400])])
def test_a_validation_comes_with_the_first_window_after_it_is_due(tmp_path, every, wanted):
  train(tmp_path, {'validate_every': every})
  validated = {row['iteration'] for row in metrics.read(Workdir(tmp_path / 'run').metrics)
               if 'validation_loss' in row}
  assert sorted(validated) == sorted({*wanted, 400})  # The last one is validated in any case.
