"""What holds for all tests: one platform, strict shapes, quick compiles."""

import importlib.metadata
import os
import pathlib
import re
import shutil
from unittest import mock

import jax
import pytest

from experiments.shared import garbage
from maes_jax import xla

garbage.look_seldom()
# The same numbers on every machine, with or without an accelerator, unless one is asked for.
PLATFORMS = os.environ.get('TEST_PLATFORMS', 'cpu')
jax.config.update('jax_platforms', PLATFORMS)
if PLATFORMS != 'cpu':  # Oracles know nothing of the lower precision of matrix units.
  jax.config.update('jax_default_matmul_precision', 'highest')
# [3] + [2, 3] is more often a forgotten axis than meant.
jax.config.update('jax_numpy_rank_promotion', 'raise')
# Programs here run for milliseconds but compile for seconds; unoptimised ones compile in half.
jax.config.update('jax_disable_most_optimizations', True)
# So do fused loops, and most of it. Child processes, in which programs run as users run them, hear
# nothing of it. An XLA that does not know a flag ends the process; later ones are not asked.
_UNFUSED = '--xla_cpu_use_fusion_emitters=false' if jax.__version_info__ < (0, 11) else ''
with mock.patch.dict(os.environ, XLA_FLAGS=f'{os.environ.get("XLA_FLAGS", "")} {_UNFUSED}'.strip()):
  xla.ask()

_CORE = re.compile(r'^(absl-py|chex|flax|jax|numpy|optax|orbax-checkpoint)==(\S+)$', re.MULTILINE)


@pytest.fixture(scope='module')
def browser():
  """Chromium; where there is none the test is left out, or fails where one must be."""
  path = shutil.which('chromium')
  if path is None:
    complain = pytest.fail if os.environ.get('BROWSER_TESTS') == 'required' else pytest.skip
    complain('no chromium on the path; apt-get install chromium')
  from playwright import sync_api
  with sync_api.sync_playwright() as driver:
    # Everything runs as root in a container, where Chromium's sandbox does not start.
    started = driver.chromium.launch(executable_path=path, args=['--no-sandbox'])
    yield started
    started.close()


def pinned() -> list[tuple[str, str]]:
  """Name and version in constraints.txt of what the library always needs."""
  return _CORE.findall((pathlib.Path(__file__).parent / 'constraints.txt').read_text())


# A future of tensorstore's may end after the loop whose callback it has, where a damaged checkpoint
# made orbax give up: nobody waits for it any more.
LATE_FUTURE = ('ignore:(?s)Exception ignored in. None.*Event loop is closed:'
               'pytest.PytestUnraisableExceptionWarning')


def pytest_configure(config):
  """Warnings are errors with the pinned versions; others may deprecate what they like."""
  if all(importlib.metadata.version(name) == version for name, version in pinned()):
    for line in ('error', LATE_FUTURE):
      config.addinivalue_line('filterwarnings', line)


def pytest_terminal_summary(terminalreporter):
  """Says at the end what a machine without a browser left out: a skip is easily overlooked."""
  skipped = [report for report in terminalreporter.stats.get('skipped', ())
             if 'chromium' in str(report.longrepr)]
  if skipped:
    terminalreporter.write_line(f'{len(skipped)} tests of the memory page were skipped: they need '
                                'a browser; run: apt-get install chromium')
