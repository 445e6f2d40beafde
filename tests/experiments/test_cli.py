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


@pytest.mark.parametrize('error', [ValueError('shapes differ'), jax.errors.JaxRuntimeError(LOST)])
def test_a_bug_stays_a_bug(error):
  """A status without other processes, or no status at all."""
  with pytest.raises(type(error)) as raised:
    cli.in_words(error)
  assert raised.value is error


def test_a_list_of_no_names_is_refused(monkeypatch, capfd):
  own = flags.FlagValues()
  monkeypatch.setattr(flags, 'FLAGS', own)
  for define in ('DEFINE_list', 'register_validator'):
    monkeypatch.setattr(flags, define, functools.partial(getattr(flags, define), flag_values=own))
  cli.define_names('only', None, 'Names.')
  cli.parse(['program'])
  with pytest.raises(SystemExit):
    cli.parse(['program', '--only='])
  assert capfd.readouterr().err == 'error: flag --only=[]: name at least one\n'
