"""What XLA is asked for: in force here, unknown to child processes, never what would end one."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import types

import jaxlib
import pytest

from maes_jax import xla

# Prints whether a loop of 120 kB was compiled as one function, and what a child finds.
PROGRAM = '''
import os, subprocess, sys
{first}
import jax, jax.numpy as jnp
loop = jax.jit(lambda x: jax.lax.fori_loop(0, 50, lambda i, c: jnp.sin(c) * c[i % 30], x))
print('xla_cpu_small_call' in loop.lower(jnp.ones(30_000)).compile().as_text())
from jaxlib import xla_client
print(b'prefer-fold-tail' in xla_client.CompileOptions().SerializeAsString())
child = 'import os; print(os.environ.get("XLA_FLAGS"))'
print(subprocess.run([sys.executable, '-c', child], capture_output=True, text=True).stdout.strip())
print(jax.device_count())
'''


@pytest.fixture
def flags(monkeypatch):
  """XLA_FLAGS while XLA reads them, given these before."""
  def ask(before):
    monkeypatch.setenv('XLA_FLAGS', before)
    with xla._added(before):
      found = os.environ['XLA_FLAGS']
    assert os.environ['XLA_FLAGS'] == before
    return found
  return ask


def printed(first, flags=None):
  environment = {name: value for name, value in os.environ.items() if name != 'XLA_FLAGS'}
  environment |= {'JAX_PLATFORMS': 'cpu'} | ({'XLA_FLAGS': flags} if flags else {})
  done = subprocess.run([sys.executable, '-c', PROGRAM.format(first=first)], env=environment,
                        capture_output=True, text=True, check=True)
  return done.stdout.split()


@pytest.mark.parametrize('first', ['from maes_jax import models', 'from maes_jax.cells import ntm',
                                   'import jax, maes_jax; maes_jax.Tester'])
def test_what_is_asked_for_is_in_force_and_children_see_nothing(first):
  masks = jaxlib.__version__ in xla._KNOWN_TO_MASK and not xla._plugins()
  assert printed(first) == ['True', str(masks), 'None', '1']


def test_without_this_library_it_is_not():
  """Else the test above would say nothing."""
  assert printed('') == ['False', 'False', 'None', '1']


def test_flags_of_the_user_are_read_and_stay():
  two = '--xla_force_host_platform_device_count=2'
  small, _, child, devices = printed('from maes_jax import models', two)
  assert (small, child, devices) == ('True', two, '2')


def test_nothing_is_left_where_there_was_nothing(monkeypatch):
  monkeypatch.delenv('XLA_FLAGS', raising=False)
  with xla._added(None):
    assert 'small_while_loop' in os.environ['XLA_FLAGS']
  assert 'XLA_FLAGS' not in os.environ


def test_flags_of_the_user_come_first(flags):
  assert flags('--xla_dump_to=/tmp').startswith('--xla_dump_to=/tmp --xla_backend_extra_options=')


def test_a_user_who_gives_extra_options_decides_alone(flags):
  assert flags('--xla_backend_extra_options=a=1') == '--xla_backend_extra_options=a=1'


def test_a_compiler_that_was_not_tried_is_not_asked_to_mask(flags, monkeypatch):
  monkeypatch.setattr(xla, 'jaxlib', types.SimpleNamespace(__version__='0.99'))
  assert 'tail' not in flags('')


def test_the_compiler_of_an_accelerator_is_not_asked_to_mask(flags, monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: name == 'libtpu')
  assert 'tail' not in flags('')


def test_the_version_that_is_installed_by_default_was_tried(flags):
  """It compiles here with the option, or this process would have ended long ago."""
  pins = pathlib.Path('constraints.txt').read_text(encoding='utf-8')
  assert re.search(r'^jaxlib==(.*)$', pins, re.M).group(1) in xla._KNOWN_TO_MASK
  if jaxlib.__version__ in xla._KNOWN_TO_MASK and not xla._plugins():
    assert 'tail' in flags('')
