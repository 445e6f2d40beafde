"""What the documents say is run: Python blocks from top to bottom, flags of commands checked."""

import collections
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import types

import pytest

from experiments.paper import runs
from maes_jax import families
from maes_jax import models
from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.training import metrics

ROOT = pathlib.Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / 'README.md', ROOT / 'BUILD.md', *(ROOT / 'docs').glob('*.md')])
BLOCK = re.compile(r'^```python(?: file=(\S+))?\n(.*?)^```', re.DOTALL | re.MULTILINE)
MODEL = re.compile(r'^\| `(\w+)` \|.*\| ([\d,]+) \|$', re.MULTILINE)
COMMAND = re.compile(r'python -m experiments\.\w+ (?:[^`\n\\#]|\\\n)+')


def blocks(document):
  return BLOCK.findall(document.read_text())


def commands():
  """Every command, as words."""
  found = (command for document in DOCUMENTS for command in COMMAND.findall(document.read_text()))
  return [shlex.split(command.replace('\\\n', ' ')) for command in found]


def flags_by_binary():
  """Each binary with the flags of its commands, one command for each set of them."""
  different = {tuple(word.split('=')[0] for word in command): command for command in commands()}
  found = collections.defaultdict(list)
  for command in different.values():
    found[command[2]].append(command[2:])
  return found


# Parses one list of flags after the other, as if each were that of a launch.
PARSE = """
import importlib, json, sys
from absl.testing import flagsaver
from experiments.shared import cli
importlib.import_module(sys.argv[1])
for command in json.loads(sys.argv[2]):
  with flagsaver.flagsaver():
    cli.parse(command)
"""


class Tracker(types.ModuleType):
  """What the tutorial uses of Weights & Biases; it keeps what it is told."""

  def __init__(self):
    super().__init__('wandb')
    self.logged, self.open = [], []

  def init(self, project):
    self.open.append(project)
    return self

  def log(self, numbers, step):
    self.logged.append((step, numbers))

  def finish(self):
    self.open.pop()


@pytest.fixture
def tracker(monkeypatch):
  tracker = Tracker()
  monkeypatch.setitem(sys.modules, 'wandb', tracker)
  return tracker


def test_the_table_of_models_is_whole_and_counts_right():
  table = dict(MODEL.findall((ROOT / 'docs' / 'models.md').read_text()))
  assert table == {name: f'{models.count_parameters(Config(model=name)):,}'
                   for name in families.FAMILIES}


@pytest.mark.parametrize(
    'document', [path for path in DOCUMENTS if blocks(path)], ids=lambda path: path.name)
def test_python_blocks_run(document, tmp_path, monkeypatch, tracker):
  monkeypatch.chdir(tmp_path)
  monkeypatch.syspath_prepend(str(tmp_path))
  monkeypatch.setattr(tasks, 'TASKS', dict(tasks.TASKS))
  monkeypatch.setattr(families, 'FAMILIES', dict(families.FAMILIES))
  namespace = {'__name__': document.stem}
  for file, code in blocks(document):
    if file:
      pathlib.Path(file).write_text(code)
    else:
      exec(compile(code, str(document), 'exec'), namespace)
  assert not tracker.open
  if document.name == 'tutorial.md':
    rows = metrics.read('runs/adamw/metrics.jsonl')
    assert len(rows) == 4
    assert tracker.logged == [
        (row['iteration'], {f'{name}/{row["model"]}': row[name] for name in row}) for row in rows]


@pytest.mark.parametrize('binary', flags_by_binary())
def test_commands_have_flags_that_exist(binary, tmp_path):
  """Names and values of flags alone: the commands themselves may take hours."""
  checked = subprocess.run(
      [sys.executable, '-c', PARSE, binary, json.dumps(flags_by_binary()[binary])], cwd=tmp_path,
      env=os.environ | {'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': str(ROOT)}, check=False,
      capture_output=True, text=True)
  assert checked.returncode == 0, checked.stderr


def test_the_page_of_tasks_has_them_all():
  """In the first column of its tables, each once."""
  rows = re.findall(r'^\|([^|]+)\|', (ROOT / 'docs' / 'tasks.md').read_text(), re.MULTILINE)
  named = [name for row in rows for name in re.findall(r'`(\w+)`', row)]
  assert sorted(named) == sorted(tasks.TASKS)


def test_parts_of_the_paper_exist():
  only = [word.removeprefix('--only=').split(',') for command in commands() for word in command
          if word.startswith('--only=')]
  assert len(only) >= 5
  for names in only:
    assert runs.select(names)


def test_own_task_and_cell_are_as_short_as_the_tutorial_says():
  sizes = {file: len(code.splitlines()) for file, code in blocks(ROOT / 'docs' / 'tutorial.md')}
  assert sizes['my_tasks.py'] <= 30
  assert sizes['my_cells.py'] <= 60
