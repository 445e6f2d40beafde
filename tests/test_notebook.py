"""The notebook, run from its first cell to its last as a user would."""

import importlib.metadata
import importlib.util
import pathlib
import re
import shutil
import subprocess
import types

import nbclient
import nbformat
import pytest

NOTEBOOK = pathlib.Path(__file__).parents[1] / 'notebooks' / 'maes_colab.ipynb'


# Each program is lowered for other platforms before it runs here. All models and sequences at once,
# as there.
LOWER = """
import sys
sys.path.insert(0, '..')
from maes_jax import compilation, evaluation
from maes_jax.training import microbatches
from tests.test_platforms import check
microbatches._on_cpu = lambda: False
evaluation.Tester._at_once = 3
jit, lowered = compilation.jit, []

def checking(function, **options):
  jitted = jit(function, **options)

  def call(*args):
    check(jitted, *args)
    lowered.append(function)
    return jitted(*args)
  return call

compilation.jit = checking
"""


@pytest.mark.slow
def test_runs_to_the_end_and_is_right_at_length_1000(monkeypatch):
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  notebook = nbformat.read(NOTEBOOK, as_version=4)
  assert not any(cell.get('outputs') for cell in notebook.cells)  # Committed without any.
  notebook.cells.insert(0, nbformat.v4.new_code_cell(LOWER))
  notebook.cells.append(nbformat.v4.new_code_cell('print(len(lowered), "programs lowered")'))
  nbclient.NotebookClient(
      notebook, timeout=600, resources={'metadata': {'path': NOTEBOOK.parent}}).execute()
  printed = ''.join(output.get('text', '') for cell in notebook.cells
                    for output in cell.get('outputs', []))
  right, bits = re.search(r'([\d,]+) of ([\d,]+) bits right', printed).groups()
  assert right == bits == '640,000'
  assert int(re.search(r'(\d+) programs lowered', printed)[1]) > 5
  pictures = [output for cell in notebook.cells for output in cell.get('outputs', [])
              if 'image/png' in output.get('data', {})]
  assert len(pictures) == 2


def install(monkeypatch, folder, jax, there=False, source=True, status=0):
  """Runs the install cell on a runtime with that version of jax; the pip commands."""
  (cell,) = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells
             if 'SOURCE =' in cell.source]
  if source:
    shutil.copy(NOTEBOOK.parents[1] / 'setup.cfg', folder)
  (folder / 'work').mkdir()
  monkeypatch.chdir(folder / 'work')
  runtime = {name: jax for name in ('jax', 'jaxlib', 'jax-cuda13-plugin') if jax}
  monkeypatch.setattr(importlib.metadata, 'distributions', lambda: [
      types.SimpleNamespace(name=name, version=version)
      for name, version in (runtime | {'numpy': '2.1.0'}).items()])
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: there or None)
  commands = []
  monkeypatch.setattr(subprocess, 'run', lambda command, check: (
      commands.append(command), types.SimpleNamespace(returncode=status))[1])
  exec(compile(cell, str(NOTEBOOK), 'exec'), {})
  return commands


@pytest.mark.parametrize('jax', ['0.9.2', '0.10.0', '0.11.2'])
def test_the_jax_that_is_there_stays(monkeypatch, tmp_path, jax):
  (command,) = install(monkeypatch, tmp_path, jax)
  assert command[-3:] == ['--constraint', 'keep.txt', '..[all]']
  assert pathlib.Path('keep.txt').read_text() == (
      f'jax=={jax}\njaxlib=={jax}\njax-cuda13-plugin=={jax}\n')


def test_where_there_is_no_jax_it_is_installed(monkeypatch, tmp_path):
  (command,) = install(monkeypatch, tmp_path, None)
  assert command[-1] == '..[all]'
  assert not pathlib.Path('keep.txt').read_text()


@pytest.mark.parametrize('jax', ['0.4.38', '0.7.2', '0.9.1', '0.12.0', '0.12.0rc1', '1.0'])
def test_a_jax_that_does_not_fit_is_said_in_a_line_and_stays(monkeypatch, tmp_path, jax):
  """As setup.cfg has it: pip is not even asked."""
  with pytest.raises(SystemExit) as stopped:
    install(monkeypatch, tmp_path, jax)
  assert str(stopped.value) == (
      f'this runtime has jax {jax}, maes_jax needs 0.9.2 or later, below 0.12, and another one '
      'would lose the accelerator: choose another runtime')
  assert not pathlib.Path('keep.txt').exists()


@pytest.mark.parametrize('options, words', [
    ({'source': False}, "no clone of the repository in '..'"),
    ({'status': 1}, "pip could not install maes_jax beside {'jax': '0.10.2', 'jaxlib': '0.10.2',")])
def test_why_nothing_can_be_installed_is_said_in_a_line(monkeypatch, tmp_path, options, words):
  with pytest.raises(SystemExit, match=re.escape(words)) as stopped:
    install(monkeypatch, tmp_path, '0.10.2', **options)
  assert '\n' not in str(stopped.value)


def test_nothing_is_installed_twice(monkeypatch, tmp_path):
  assert install(monkeypatch, tmp_path, '0.7.2', there=True) == []
