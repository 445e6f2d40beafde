"""Sizes in bulk, from negative to absurd: an entrance takes them or says in a line why not.

Nothing is computed: what is tried is what stands before any work, and it has to be quick.
"""

from collections.abc import Callable, Mapping
import pathlib
import time
from typing import Any

from hypothesis import strategies as st
import jax

from experiments.paper import execute
from maes_jax import evaluation
from maes_jax import models
from maes_jax import families
from maes_jax import recording as recordings
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import demand
from maes_jax.training.trainer import Trainer
from tests.reliability import attempts

LONGEST = 60  # Seconds after which a refusal counts as a hang.
TASK = tasks.get('odd_recall')
NUMBERS = st.one_of(st.integers(1, 40), st.integers(1, 2**31), st.integers(), st.sampled_from(
    [0, -1, 1000, 10**5, 10**6, 10**8, 10**9, 2**30, 2**30 + 1, 2**31, 2**32, 2**63, 2**64, 10**20,
     10**5000]))


def _train(folder, **sizes):
  """All that stands before the folder of a training run is made."""
  del folder
  config = families.resolve(Config(**sizes))
  models.check(config)
  demand.check(Trainer(config, models.build(config)), {})


def _test(folder, model='maes', **sizes):
  del folder
  evaluation.Tester(models.build(Config(model=model, task=(TASK.name,))), TASK, **sizes)


def _record(folder, model='maes', **sizes):
  del folder
  recordings.Recorder(models.build(Config(model=model, task=(TASK.name,))), TASK, **sizes).check()


def _sample(folder, length, max_length):
  del folder
  draw = lambda key: tasks.sample(TASK, key, length, max_length)
  jax.eval_shape(draw, jax.random.key(0))


def _settings(folder, **sizes):
  execute.Settings(folder, folder, **sizes)


def _sizes(*names: str, **more: st.SearchStrategy) -> st.SearchStrategy:
  """All these arguments."""
  return st.fixed_dictionaries({**dict.fromkeys(names, NUMBERS), **more})


_MODEL = st.sampled_from(sorted(families.FAMILIES))
_OF_TRAINING = ('seeds', 'seed', 'width', 'units', 'output_hidden', 'memory', 'batch_size',
                'max_length', 'validation_length', 'validation_memory', 'validation_sequences')
# Entrance -> what it is tried with.
ENTRANCES: Mapping[Callable, st.SearchStrategy] = {
    _train: st.dictionaries(st.sampled_from(_OF_TRAINING), NUMBERS, min_size=1, max_size=3).flatmap(
        lambda sizes: _MODEL.map(lambda model: {'model': model, **sizes})),
    _test: _sizes('max_length', 'addresses', 'batch_size', model=_MODEL),
    _record: _sizes('length', 'addresses', model=_MODEL),
    _sample: _sizes('length', 'max_length'),
    _settings: _sizes('seeds', 'length', 'memory', 'batches'),
}
TRIALS = st.one_of([st.tuples(st.just(entrance), sizes) for entrance, sizes in ENTRANCES.items()])


def entrance(trial: tuple[Callable, dict[str, Any]], folder: pathlib.Path) -> bool:
  """Sizes from negative to absurd, up to where work would begin."""
  call, sizes = trial
  start = time.monotonic()
  outcome = attempts.in_a_line(lambda: call(folder, **sizes), longest=1000)
  attempts.promise(time.monotonic() - start < LONGEST, 'it ends at once')
  attempts.promise(not any(folder.iterdir()), 'nothing is written')
  return outcome == attempts.DONE
