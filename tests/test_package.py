"""What `pip install .` brings: every module, the page's parts and the shipped models."""

import email
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from experiments.shared import usage
import maes_jax

ROOT = pathlib.Path(__file__).parents[1]
# Folder of the repository -> where it is installed.
FOLDERS = {'maes_jax': 'maes_jax', 'experiments': 'maes_jax/experiments',
           'checkpoints': 'maes_jax/shipped_models'}


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
  """The folder that a wheel built from a copy of the sources unpacks to."""
  path = tmp_path_factory.mktemp('package')
  for name in FOLDERS:
    shutil.copytree(ROOT / name, path / 'clone' / name,
                    ignore=shutil.ignore_patterns('__pycache__'))
  for name in ('setup.cfg', 'pyproject.toml', 'README.md', 'LICENSE'):
    shutil.copy(ROOT / name, path / 'clone' / name)
  build = subprocess.run(
      [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-build-isolation',
       f'--wheel-dir={path}', str(path / 'clone')], capture_output=True, text=True, check=False)
  assert build.returncode == 0, build.stderr
  (wheel,) = path.glob('*.whl')
  zipfile.ZipFile(wheel).extractall(path / 'installed')
  return path / 'installed'


def test_every_module_and_part_is_there(installed):
  for name, path in FOLDERS.items():
    sources = {file.relative_to(ROOT / name) for file in (ROOT / name).rglob('*')
               if file.is_file() and '__pycache__' not in file.parts and file.name != 'lock'}
    assert sources <= {file.relative_to(installed / path)
                       for file in (installed / path).rglob('*')}


def test_nothing_else_is_put_beside_other_packages(installed):
  assert [path.name for path in installed.iterdir() if path.suffix != '.dist-info'] == ['maes_jax']


def test_programs_are_those_that_help_names(installed):
  (metadata,) = importlib.metadata.distributions(path=[str(installed)])
  scripts = metadata.entry_points.select(group='console_scripts')
  wanted = {usage.script(name): f'maes_jax.experiments.{name}:program' for name in usage.INSTALLED}
  assert {script.name: script.value for script in scripts} == wanted
  assert 'maes-show-task' in wanted


def launch(installed, folder, name, *flags):
  """Runs a program as its installed script does, in a folder with an `experiments` of its own."""
  (folder / 'experiments').mkdir()
  (folder / 'experiments' / '__init__.py').write_text('raise ImportError("not that one")')
  script = f'import sys; from maes_jax.experiments import {name}; sys.exit({name}.program())'
  return subprocess.run(
      [sys.executable, '-c', script, *flags], cwd=folder, capture_output=True, text=True,
      env=os.environ | {'PYTHONPATH': str(installed), 'JAX_PLATFORMS': 'cpu'}, check=False)


def test_an_installed_program_tests_a_shipped_model(installed, tmp_path):
  done = launch(installed, tmp_path, 'evaluate', '--checkpoint=E_J', '--task=reverse_recall',
                '--length=20', '--memory=30', '--batches=1')
  assert done.returncode == 0, done.stderr
  assert '5,120 of        5,120 right   100.00%' in done.stdout


def test_installed_programs_start_others_of_their_package(installed, tmp_path):
  """Two jobs are two processes, which are refused here before any work."""
  (tmp_path / 'file').touch()
  done = launch(installed, tmp_path, 'reproduce', '--only=E_S,E_R', '--jobs=2',
                '--workdir=file', '--results=results')
  assert done.returncode == 1
  assert 'not finished: E_S (the reason stands above), E_R (the reason' in done.stderr
  assert 'No module' not in done.stderr and 'Traceback' not in done.stderr


@pytest.mark.parametrize('name, command, flag', [
    ('train', 'maes-train --task=serial_recall', '--workdir'),
    ('evaluate', 'maes-evaluate --checkpoint=', '--memory=1024'),
    ('ship', 'python -m maes_jax.experiments.ship', '--only')])
def test_help_says_how_a_program_is_called_here(installed, tmp_path, name, command, flag):
  if name == 'ship':  # No program of its own.
    done = subprocess.run([sys.executable, '-m', f'maes_jax.experiments.{name}', '--help'],
                          cwd=tmp_path, capture_output=True, text=True, check=False,
                          env=os.environ | {'PYTHONPATH': str(installed)})
  else:
    done = launch(installed, tmp_path, name, '--help')
  assert command in done.stdout
  assert f'\n  {flag}' in done.stdout
  assert 'python -m experiments' not in done.stdout


def test_shipped_models_load_without_the_clone(installed, tmp_path):
  program = ('import maes_jax; print(maes_jax.__file__); print(maes_jax.shipped()); '
             'print(maes_jax.load("E_S").config.task)')
  done = subprocess.run([sys.executable, '-c', program], cwd=tmp_path, capture_output=True,
                        text=True, env=os.environ | {'PYTHONPATH': str(installed)}, check=False)
  assert done.returncode == 0, done.stderr
  where, names, task = done.stdout.splitlines()
  assert where.startswith(str(installed))
  shipped = (ROOT / 'checkpoints').glob('*/config.json')
  assert names == str(sorted(path.parent.name for path in shipped))
  assert task == "('serial_recall',)"


def test_metadata_name_version_and_licence(installed):
  (folder,) = installed.glob('*.dist-info')
  metadata = email.message_from_string((folder / 'METADATA').read_text())
  assert metadata['Version'] == maes_jax.__version__
  assert metadata['License-Expression'] == 'Apache-2.0'
  assert 'Apache License' in (folder / 'licenses' / 'LICENSE').read_text()
  assert f'\nversion: {maes_jax.__version__}\n' in (ROOT / 'CITATION.cff').read_text()
  assert f'\n## {maes_jax.__version__}' in (ROOT / 'CHANGELOG.md').read_text()


def test_importing_brings_nothing_heavy():
  program = ('import sys, maes_jax; '
             'print({"jax", "flax", "orbax", "matplotlib", "bokeh"} & set(sys.modules))')
  done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True)
  assert done.stdout.strip() == 'set()'


@pytest.mark.parametrize('module', ['maes_jax.training.run', 'experiments.train'])
def test_a_run_imports_what_it_needs_at_once_and_nothing_else(module):
  """Orbax when it saves, figures and pages when they are drawn, frameworks of others never."""
  late = ('orbax', 'tensorstore', 'matplotlib', 'bokeh', 'jinja2', 'sklearn', 'hypothesis', 'torch',
          'tensorflow', 'tensorboard', 'pandas', 'scipy')
  program = f'import sys, {module}; print(set({late}) & set(sys.modules))'
  done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, check=True)
  assert done.stdout.strip() == 'set()'


@pytest.mark.parametrize('name', maes_jax.__all__)
def test_public_names_are_there_and_documented(name):
  assert name in dir(maes_jax)
  assert getattr(maes_jax, name).__doc__
  assert f'`{name}' in maes_jax.__doc__


def test_documented_modules_of_public_names_are_there():
  """Names with dots in the table, e.g. `cells.ntm`, by the import that a reader starts with."""
  names = re.findall(r'`((?:cells|models|page|tasks)\.\w+)', maes_jax.__doc__)
  assert len(names) >= 7
  program = f'import maes_jax; print([{", ".join(f"maes_jax.{name}" for name in names)}])'
  subprocess.run([sys.executable, '-c', program], check=True, capture_output=True)


def test_another_name_lists_the_public_ones():
  with pytest.raises(AttributeError, match=r"no 'biuld'.* build, "):
    maes_jax.biuld  # noqa: B018
