"""What `pip install .` brings: every module, the page's parts and the shipped models."""

import email
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

import maes_jax

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
  """The folder that a wheel built from a copy of the sources unpacks to."""
  path = tmp_path_factory.mktemp('package')
  for name in ('maes_jax', 'experiments', 'checkpoints'):
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
  for name in ('maes_jax', 'experiments'):
    sources = {path.relative_to(ROOT) for path in (ROOT / name).rglob('*')
               if path.is_file() and '__pycache__' not in path.parts}
    assert sources <= {path.relative_to(installed) for path in installed.rglob('*')}


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


@pytest.mark.parametrize('name', maes_jax.__all__)
def test_public_names_are_there_and_documented(name):
  assert name in dir(maes_jax)
  assert getattr(maes_jax, name).__doc__
  assert f'`{name}' in maes_jax.__doc__


def test_another_name_lists_the_public_ones():
  with pytest.raises(AttributeError, match=r"no 'biuld'.* build, "):
    maes_jax.biuld  # noqa: B018
