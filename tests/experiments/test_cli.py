"""What a user reads when the runtime fails, or a flag is of no use."""

import functools

from absl import flags
import jax
import pytest

from experiments.shared import cli
from experiments.shared import cluster

LOST = 'UNKNOWN: Gloo AllGather failed: Connection reset by peer\nmore'
FULL = 'RESOURCE_EXHAUSTED: no room for 3 GiB'


@pytest.fixture
def joined(monkeypatch):
  monkeypatch.setattr(cluster, 'joined', lambda: True)


@pytest.mark.parametrize('kind', [ValueError, jax.errors.JaxRuntimeError])
def test_a_lost_process(joined, kind):
  """XLA's errors come as either."""
  words = cli.in_words(kind(LOST))
  assert words.startswith(f'another process of this run has ended ({LOST.splitlines()[0]});')
  assert 'start all of them again' in words


@pytest.mark.parametrize('kind', [ValueError, MemoryError, jax.errors.JaxRuntimeError])
def test_no_memory_left(joined, kind):
  assert cli.in_words(kind(FULL)).startswith(f'out of memory ({FULL})')


def test_a_file_that_the_system_refuses_is_named():
  """Wherever it was about to be read, e.g. a record in a folder of somebody else's."""
  error = PermissionError(13, 'Permission denied', 'results/E_S.json')
  assert cli.in_words(error).startswith('cannot use results/E_S.json: Permission denied; name ')


@pytest.mark.parametrize('error', [
    OSError('no file'), ValueError('shapes differ'), jax.errors.JaxRuntimeError(LOST)])
def test_a_bug_stays_a_bug(error):
  """A status without other processes, or no status at all."""
  with pytest.raises(type(error)) as raised:
    cli.in_words(error)
  assert raised.value is error


@pytest.fixture
def own(monkeypatch):
  """Flags of their own, so that no other test sees them."""
  found = flags.FlagValues()
  monkeypatch.setattr(flags, 'FLAGS', found)
  for define in ('DEFINE_list', 'register_validator'):
    monkeypatch.setattr(flags, define, functools.partial(getattr(flags, define), flag_values=found))
  flags.DEFINE_string('cell', '', '', flag_values=found)
  flags.DEFINE_enum('stop_on', None, ['training', 'certified'], '', flag_values=found)
  flags.DEFINE_alias('until', 'stop_on', flag_values=found)
  flags.DEFINE_boolean('unfreeze', False, '', flag_values=found)
  return found


@pytest.mark.parametrize(('first', 'second'), [
    ('--cell=units=7', '--cell=width=3'), ('--task=odd_recall', '--task=n_back'),
    ('--stop_on=certified', '--until=training'), ('--until=certified', '--stop_on=training'),
    ('--unfreeze', '--nounfreeze')])
def test_a_flag_given_twice_and_not_alike_is_refused(own, capfd, first, second):
  """The second must not take the place of the first without a word."""
  cli.define_names('task', ['serial_recall'], 'Tasks.')
  with pytest.raises(SystemExit):
    cli.parse(['program', first, second])
  said = [flag.replace('until', 'stop_on') for flag in (first, second)]
  assert capfd.readouterr().err.startswith(
      f'error: {" and ".join(said)} are both given; give one of them')


def test_a_flag_given_twice_and_alike_is_one(own):
  cli.define_names('task', ['serial_recall'], 'Tasks.')
  cli.parse(['program', *2 * ['--cell=units=7', '--task=a,b'], '--until=training',
             '--stop_on=training'])
  assert (own.cell, own.task, own.stop_on) == ('units=7', ['a', 'b'], 'training')


def test_a_list_of_no_names_is_refused(own, capfd):
  cli.define_names('only', None, 'Names.')
  cli.parse(['program'])
  with pytest.raises(SystemExit):
    cli.parse(['program', '--only='])
  assert capfd.readouterr().err == 'error: flag --only=[]: name at least one\n'
