"""What a run takes at least: no more than XLA says, enough to refuse what is impossible."""

import dataclasses
import pathlib
import types

import jax
import pytest

from maes_jax import devices
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import machine
from maes_jax import models
from maes_jax import families
from maes_jax import recording as recordings
from maes_jax import room
from maes_jax import shapes
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import demand
from maes_jax.training import run
from maes_jax.training.trainer import Trainer
from tests import two_phases

GIB = 2**30


@pytest.fixture
def seen(monkeypatch):
  """What was added up, by name; nothing is refused."""
  found = {}
  monkeypatch.setattr(room, 'check', lambda what, parts, on: found.update(parts))
  return found


def trainer(**options):
  config = families.resolve(Config(**options))
  return Trainer(config, models.build(config), devices=devices.first(1))


def compiled_size(function, *args):
  """What XLA will take, in bytes."""
  analysis = function.lower(*args).compile().memory_analysis()
  return analysis.argument_size_in_bytes + analysis.temp_size_in_bytes


@pytest.mark.parametrize('part, program, options', [
    # States of one sequence at a time; of a batch at once; all models side by side.
    ('a training batch', 'train_population', {'batch_size': 8, 'max_length': 200, 'memory': 256}),
    ('a training batch', 'train_population',
     {'model': 'lstm', 'layers': 1, 'units': 1024, 'batch_size': 512}),
    ('a validation', 'validate_population', {'seeds': 50}),
], ids=str)
def test_training_takes_no_less(seen, part, program, options):
  one = trainer(**{'max_length': 5, 'hold': 0, 'grow': 0, 'start_length': 5, **options})
  demand.check(one, {})
  taken = compiled_size(getattr(one, program), one.abstract())
  assert part in seen
  assert taken / 8 < sum(part.size for part in seen.values()) <= taken


@pytest.mark.parametrize('name, addresses', [('maes', 1024), ('dnc', 256)])
def test_a_test_takes_no_less(seen, name, addresses):
  model = models.build(Config(model=name))
  tester = evaluation.Tester(
      model, tasks.get('serial_recall'), 200, addresses, 8, devices.first(1))
  estimated = sum(part.size for part in seen.values())
  keys = jax.random.split(jax.random.key(0), (1, 8))
  taken = compiled_size(tester._through_all, models.parameters(model), 200, keys)
  assert taken / 8 < estimated <= taken


PAPER = [{'task': two_phases.TASKS}, {'seeds': 100}, {'model': 'dnc', 'seeds': 10},
         {'model': 'lstm', 'seeds': 10}, {'model': 'ntm', 'seeds': 100},
         {'validation_length': 1000, 'validation_memory': 1024, 'batch_size': 64}]


@pytest.mark.parametrize('options', PAPER, ids=str)
def test_nothing_of_the_paper_is_refused_with_8_gib(monkeypatch, options):
  monkeypatch.setattr(machine, 'memory', lambda: 8 * GIB)
  one = trainer(**options)
  demand.check(one, {})
  for name in one.config.task:
    evaluation.Tester(one.model, tasks.get(name), 1000, 1024, 32)


# Sizes, and what the line tells to make smaller.
IMPOSSIBLE = [
    ({'units': 200_000}, 'smaller model'), ({'units': 2**30}, 'smaller model'),
    ({'model': 'lstm', 'units': 2**30}, 'smaller model'), ({'width': 2**30}, 'smaller model'),
    ({'output_hidden': 2**30}, 'smaller model'), ({'memory': 10**8}, 'memory'),
    ({'model': 'dnc', 'memory': 100_000}, 'memory'), ({'batch_size': 2**30}, 'batch_size'),
    ({'max_length': 2**29, 'memory': 2**30}, 'max_length'), ({'seeds': 2**30}, 'seeds'),
    ({'seeds': 100_000}, 'seeds'), ({'validation_sequences': 2**30}, 'validation_sequences'),
    ({'validation_length': 2**29, 'validation_memory': 2**30}, 'validation_length'),
    ({'validation_memory': 2**30}, 'validation_memory'),
]


@pytest.mark.parametrize('options, remedy', IMPOSSIBLE, ids=str)
def test_impossible_training_writes_nothing(tmp_path, monkeypatch, options, remedy):
  monkeypatch.setattr(machine, 'memory', lambda: 16 * GIB)
  with pytest.raises(
      errors.UserError, match=f'at least .* GiB, .* are 16.00 GiB; use .*{remedy}') as error:
    run.train(Config(**options), tmp_path / 'run')
  assert '\n' not in str(error.value)
  assert not any(tmp_path.iterdir())


@pytest.mark.parametrize('length, addresses, batch_size', [
    (1000, 10**8, 32), (2**29, 2**30, 1), (1000, 1024, 2**30)])
def test_impossible_tests(monkeypatch, length, addresses, batch_size):
  monkeypatch.setattr(machine, 'memory', lambda: 16 * GIB)
  model = models.build(Config())
  with pytest.raises(errors.UserError, match=r'at least .* GiB, .* are 16.00 GiB; use a shorter'):
    evaluation.Tester(model, tasks.get('serial_recall'), length, addresses, batch_size)


def test_a_recording_whose_memory_can_be_shown_and_whose_links_have_no_room(monkeypatch):
  monkeypatch.setattr(machine, 'memory', lambda: 16 * GIB)
  model = models.build(Config(model='dnc'))
  with pytest.raises(errors.UserError, match=r'at least .* GiB'):
    recordings.record(model, models.parameters(model), tasks.get('serial_recall'), 3, 200_000)


def device(number=0, process=None, platform='cpu', limit=None):
  process = jax.process_index() if process is None else process
  stats = None if limit is None else {'bytes_limit': limit}
  return types.SimpleNamespace(
      id=number, process_index=process, platform=platform, memory_stats=lambda: stats)


class TestAvailable:

  def test_cores_share_the_memory_of_their_machine(self, monkeypatch):
    monkeypatch.setattr(machine, 'memory', lambda: 7)
    assert room.available([device(0), device(1)]) == 7

  def test_every_process_is_a_machine(self, monkeypatch):
    monkeypatch.setattr(machine, 'memory', lambda: 7)
    assert room.available([device(0), device(1), device(2, 5), device(3, 5)]) == 14

  def test_every_accelerator_has_its_own(self):
    gpus = [device(i, platform='gpu', limit=80) for i in range(4)]
    assert room.available(gpus) == 320

  @pytest.mark.parametrize('unknown', [
      [device(platform='gpu')], [device(process=5)], []], ids=['no limit', 'elsewhere', 'none'])
  def test_nothing_is_refused_where_nothing_is_known(self, unknown):
    assert room.available(unknown) is None
    room.check('this', {'it': room.Part(10**30, 'less')}, unknown)

  @pytest.mark.parametrize('files, limit', [
      ({}, None),
      ({'/proc/meminfo': 'MemTotal: 90 kB\nMemAvailable: 50 kB\nSwapFree: 7 kB\n'}, 57 * 1024),
      # Version 1: the group's own limit, or that of one above it.
      ({'/proc/meminfo': 'MemAvailable: 50 kB\n', '/proc/self/cgroup': '4:cpu,memory:/a/b\n1:x:/\n',
        '/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes': '9223372036854771712\n',
        '/sys/fs/cgroup/memory/a/memory.limit_in_bytes': '2048\n'}, 2048),
      # Version 2, where `max` is none.
      ({'/proc/meminfo': 'MemAvailable: 50 kB\n', '/proc/self/cgroup': '0::/a\n',
        '/sys/fs/cgroup/a/memory.max': 'max\n', '/sys/fs/cgroup/memory.max': '1024\n'}, 1024),
      ({'/proc/meminfo': 'MemAvailable: 50 kB\n', '/proc/self/cgroup': '0::/a\n',
        '/sys/fs/cgroup/a/memory.max': 'max\n'}, 50 * 1024),
  ], ids=['no proc', 'free and swap', 'version 1', 'version 2', 'no limit'])
  def test_of_a_host(self, monkeypatch, files, limit):
    monkeypatch.setattr(machine, '_text', lambda path: files.get(str(path), ''))
    assert machine.memory() == limit

  def test_of_this_host(self):
    """More than this process holds, no more than there is."""
    if not pathlib.Path('/proc/meminfo').exists():
      pytest.skip('no /proc/meminfo here')
    total = machine._fields(pathlib.Path('/proc/meminfo'))['MemTotal']
    assert 0 < machine._held() < machine.memory() <= 2 * total


def test_a_frozen_encoder_has_no_optimizer_state(seen):
  one = trainer(units=30)
  whole = shapes.size(one.abstract())
  frozen = dataclasses.replace(one, frozen=('encoder',))
  encoder = shapes.size(one.abstract().params['encoder'])
  assert shapes.size(frozen.abstract()) == whole - 2 * encoder
