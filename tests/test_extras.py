"""Without the packages of an extra: what needs none works, the rest says what to install."""

import configparser
import importlib
import os
import pathlib
import re
import subprocess
import sys
import types

import pytest

from maes_jax import errors
from maes_jax import extras

ROOT = pathlib.Path(__file__).parents[1]
OPTIONAL = ('bokeh', 'hypothesis', 'jinja2', 'matplotlib', 'sklearn', 'tensorboardX',
            'tqdm')
SMALL = ('--task=serial_recall', '--hold=0', '--grow=0', '--start_length=5', '--max_length=5',
         '--memory=8', '--validation_length=5', '--validation_memory=8', '--max_iterations=100')


def launch(folder, name, *flags, without=OPTIONAL):
  """Runs a program in a Python that has none of some packages."""
  script = (f'import sys; sys.modules.update(dict.fromkeys({without})); '
            f'from experiments import {name}; {name}.cli.run({name}.main)')
  return subprocess.run(
      [sys.executable, '-c', script, *flags], cwd=folder, capture_output=True, text=True,
      env=os.environ | {'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'}, check=False)


@pytest.mark.parametrize('name, flags, package', [
    ('evaluate', ('--checkpoint=E_J', '--task=serial_recall', '--figure=a.png'), 'matplotlib'),
    ('inspect', ('--checkpoint=E_S', '--png=a.png'), 'matplotlib'),
    ('inspect', ('--checkpoint=E_S', '--gif=a.gif'), 'matplotlib'),
    ('inspect', ('--checkpoint=E_S', '--html=a.html'), 'bokeh'),
    ('inspect', ('--checkpoint=E_S', '--html=a.html'), 'jinja2'),
    ('ledger', (), 'matplotlib'),
])
def test_a_program_says_what_to_install_before_any_work(tmp_path, name, flags, package):
  done = launch(tmp_path, name, *flags, without=(package,))
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  assert f'needs {package}, which' in line and line.endswith(f'pip install {package}')
  assert not any(tmp_path.iterdir())


def test_testing_needs_none_of_them(tmp_path):
  done = launch(tmp_path, 'evaluate', '--checkpoint=E_S', '--task=serial_recall', '--length=20',
                '--memory=30', '--batches=1')
  assert done.returncode == 0, done.stderr
  assert '100.00%' in done.stdout


def test_training_goes_on_and_says_once_what_is_not_written(tmp_path):
  done = launch(tmp_path, 'train', '--workdir=run', *SMALL)
  assert done.returncode == 0, done.stderr
  assert done.stderr.count('pip install tensorboardX') == 1
  assert not [path for path in tmp_path.rglob('events.*')]
  assert len((tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()) == 1


def test_all_that_lack_are_named(monkeypatch):
  for name in extras.EXTRAS['pages']:
    monkeypatch.setitem(sys.modules, name, None)
  with pytest.raises(ImportError, match=r'bokeh and jinja2.*pip install bokeh jinja2') as raised:
    extras.need('pages', 'a page')
  assert isinstance(raised.value, errors.UserError)
  extras.need('figures', 'a picture')


def test_they_are_what_the_metadata_says():
  metadata = configparser.ConfigParser()
  metadata.read(ROOT / 'setup.cfg')
  said = {name: re.findall(r'^[\w-]+', packages, re.MULTILINE)
          for name, packages in metadata['options.extras_require'].items()}
  for name, packages in extras.EXTRAS.items():
    assert {extras.INSTALLED.get(package, package) for package in packages} <= set(said[name])
  assert set(OPTIONAL).isdisjoint(
      re.findall(r'^\w+', metadata['options']['install_requires'], re.MULTILINE))


def test_training_imports_no_pytorch_that_somebody_has(tmp_path):
  """tensorboardX would; whoever imports it later finds it, and so does tensorboardX."""
  (tmp_path / 'torch.py').write_text('class Tensor: pass\n')
  program = ('import sys, maes_jax.training.run, tensorboardX; assert "torch" not in sys.modules; '
             'import torch; print(torch.__file__)')
  done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True,
                        env=os.environ | {'PYTHONPATH': f'{tmp_path}:{ROOT}'})
  assert done.stdout.strip() == str(tmp_path / 'torch.py')


@pytest.mark.parametrize('before', [False, True])
def test_a_hidden_package_is_back_where_it_was(monkeypatch, before):
  monkeypatch.delitem(sys.modules, 'colorsys', raising=False)
  if before:
    monkeypatch.setitem(sys.modules, 'colorsys', there := types.ModuleType('colorsys'))
  with extras.hidden('colorsys'):
    if before:
      assert importlib.import_module('colorsys') is there
    else:
      with pytest.raises(ImportError):
        importlib.import_module('colorsys')
  assert importlib.import_module('colorsys').__name__ == 'colorsys'
