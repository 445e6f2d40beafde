"""Nothing that is read from a file can run: no pickle, nor anything like it, anywhere."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
# Modules that turn bytes into code or any object, and calls that run text.
MODULES = {'pickle', 'cPickle', '_pickle', 'dill', 'cloudpickle', 'joblib', 'shelve', 'marshal',
           'jsonpickle', 'yaml', 'runpy', 'imp', 'code'}
CALLS = {'eval', 'exec', 'compile', '__import__'}
ARGUMENTS = {'allow_pickle'}
SOURCES = sorted([*ROOT.glob('maes_jax/**/*.py'), *ROOT.glob('experiments/**/*.py')])


def dangers(source: str) -> set[str]:
  """Names in a source that stand for code from data."""
  found = set()
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Import):
      found |= {alias.name.split('.')[0] for alias in node.names} & MODULES
    elif isinstance(node, ast.ImportFrom):
      found |= {(node.module or '').split('.')[0]} & MODULES
    elif isinstance(node, ast.Call):
      found |= {getattr(node.func, 'id', '')} & CALLS
      found |= {keyword.arg for keyword in node.keywords} & ARGUMENTS
  return found


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_none_in(path):
  assert dangers(path.read_text()) == set()


@pytest.mark.parametrize('source, danger', [
    ('import pickle', 'pickle'), ('from pickle import loads', 'pickle'), ('import dill.x', 'dill'),
    ('eval(text)', 'eval'), ('np.load(path, allow_pickle=True)', 'allow_pickle')])
def test_the_scan_finds(source, danger):
  assert dangers(source) == {danger}


def test_the_scan_lets_json_pass():
  assert dangers('import json\njson.loads(text)\nre.compile(text)') == set()
