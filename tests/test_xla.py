"""What XLA is asked for: never an option that would end the process."""

import importlib.util
import os
import pathlib
import re
import types

import jaxlib
import pytest

from maes_jax import xla


@pytest.fixture
def flags(monkeypatch):
  """XLA_FLAGS after asking with these before."""
  def ask(before):
    monkeypatch.setenv('XLA_FLAGS', before)
    xla.ask()
    return os.environ['XLA_FLAGS']
  return ask


def test_flags_of_the_user_stay(flags):
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
