"""The notebook, run from its first cell to its last as a user would."""

import importlib.metadata
import importlib.util
import pathlib
import re
import subprocess
import types

import nbclient
import nbformat
import pytest

NOTEBOOK = pathlib.Path(__file__).parents[1] / 'notebooks' / 'maes_colab.ipynb'


@pytest.mark.slow
def test_runs_to_the_end_and_is_right_at_length_1000(monkeypatch):
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  notebook = nbformat.read(NOTEBOOK, as_version=4)
  assert not any(cell.get('outputs') for cell in notebook.cells)  # Committed without any.
  nbclient.NotebookClient(
      notebook, timeout=600, resources={'metadata': {'path': NOTEBOOK.parent}}).execute()
  printed = ''.join(output.get('text', '') for cell in notebook.cells
                    for output in cell.get('outputs', []))
  right, bits = re.search(r'([\d,]+) of ([\d,]+) bits right', printed).groups()
  assert right == bits == '640,000'
  pictures = [output for cell in notebook.cells for output in cell.get('outputs', [])
              if 'image/png' in output.get('data', {})]
  assert len(pictures) == 2


def install(monkeypatch, folder, jax, there=False, source=True):
  """Runs the install cell on a runtime with that version of jax; the pip commands."""
  (cell,) = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells
             if 'SOURCE =' in cell.source]
  if source:
    (folder / 'setup.cfg').touch()
  (folder / 'work').mkdir()
  monkeypatch.chdir(folder / 'work')
  runtime = {'jax': jax, 'jaxlib': jax, 'jax-cuda13-plugin': jax, 'numpy': '2.1.0'}
  monkeypatch.setattr(importlib.metadata, 'distributions', lambda: [
      types.SimpleNamespace(name=name, version=version) for name, version in runtime.items()])
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: there or None)
  commands = []
  monkeypatch.setattr(subprocess, 'run', lambda command, check: commands.append(command))
  exec(compile(cell, str(NOTEBOOK), 'exec'), {})
  return commands


def test_the_jax_that_is_there_stays(monkeypatch, tmp_path):
  (command,) = install(monkeypatch, tmp_path, '0.9.2')
  assert command[-3:] == ['--constraint', 'keep.txt', '..[all]']
  assert pathlib.Path('keep.txt').read_text() == (
      'jax==0.9.2\njaxlib==0.9.2\njax-cuda13-plugin==0.9.2\n')


@pytest.mark.parametrize('options, words', [
    ({'jax': '0.7.2'}, 'this runtime has jax 0.7.2, maes_jax needs 0.9.2 or later'),
    ({'jax': '0.10.2', 'source': False}, "no clone of the repository in '..'")])
def test_why_nothing_can_be_installed_is_said_in_a_line(monkeypatch, tmp_path, options, words):
  with pytest.raises(SystemExit, match=re.escape(words)) as stopped:
    install(monkeypatch, tmp_path, **options)
  assert '\n' not in str(stopped.value)


def test_nothing_is_installed_twice(monkeypatch, tmp_path):
  assert install(monkeypatch, tmp_path, '0.7.2', there=True) == []


def test_its_oldest_jax_is_that_of_the_metadata():
  metadata = (NOTEBOOK.parents[1] / 'setup.cfg').read_text()
  (oldest,) = re.findall(r"^ *\"OLDEST_JAX = '(.*?)'", NOTEBOOK.read_text(), re.MULTILINE)
  assert f'\n    jax>={oldest},' in metadata
