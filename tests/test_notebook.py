"""The notebook, run from its first cell to its last as a user would."""

import pathlib
import re

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
