"""Compiled programs that are kept between launches, and what becomes of damaged ones."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = '''
import jax, warnings
from experiments.shared import compiled
compiled.keep()
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.)
def name_of_it(x): return x + 1
print(jax.jit(name_of_it)(1.))
warnings.warn('another matter')
'''


@pytest.fixture
def launch(tmp_path):
  """Compiles a program; returns what was kept of it."""
  def run():
    done = subprocess.run(
        [sys.executable, '-W', 'default', '-c', PROGRAM], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {'XDG_CACHE_HOME': str(tmp_path), 'JAX_PLATFORMS': 'cpu'}, check=True)
    assert done.stdout == '2.0\n'
    assert 'another matter' in done.stderr
    assert 'cache' not in done.stderr
    (kept,) = (tmp_path / 'maes_jax').glob('jit_name_of_it-*-cache')
    return kept
  return run


@pytest.mark.parametrize('damage', [lambda whole: b'', lambda whole: whole[:len(whole) // 2],
                                    lambda whole: b'\0' * len(whole)])
def test_a_damaged_program_gives_way_to_a_new_one(launch, damage):
  kept = launch()
  whole = kept.read_bytes()
  kept.write_bytes(damage(whole))
  assert launch() == kept
  assert len(kept.read_bytes()) > len(whole) // 2
  before = kept.read_bytes(), kept.stat().st_mtime_ns
  launch()
  assert (kept.read_bytes(), kept.stat().st_mtime_ns) == before
