"""When warnings are errors, and what is said at the end of all tests."""

import importlib.metadata
import types

import conftest


def lines_added(monkeypatch, **others):
  """To pytest's settings, where some packages have other versions than the pinned ones."""
  real, added = importlib.metadata.version, []
  monkeypatch.setattr(importlib.metadata, 'version', lambda name: others.get(name, real(name)))
  conftest.pytest_configure(types.SimpleNamespace(
      addinivalue_line=lambda *line: added.append(line)))
  return added


def test_warnings_of_other_versions_fail_nobody(monkeypatch):
  pinned = dict(conftest.pinned())
  assert pinned.keys() == {'absl-py', 'chex', 'flax', 'jax', 'numpy', 'optax', 'orbax-checkpoint'}
  assert lines_added(monkeypatch, **pinned) == [
      ('filterwarnings', line) for line in ('error', conftest.LATE_FUTURE)]
  assert lines_added(monkeypatch, **{**pinned, 'optax': '99'}) == []


def said(*reasons):
  lines = []
  reports = [types.SimpleNamespace(longrepr=('file', 1, reason)) for reason in reasons]
  conftest.pytest_terminal_summary(types.SimpleNamespace(
      stats={'skipped': reports} if reports else {}, write_line=lines.append))
  return lines


def test_how_many_tests_lacked_a_browser_and_what_to_install():
  reason = 'Skipped: no chromium on the path; apt-get install chromium'
  (line,) = said(reason, 'Skipped: no torch', reason)
  assert line.startswith('2 tests ') and line.endswith('apt-get install chromium')


def test_nothing_where_none_did():
  assert said() == said('Skipped: no torch') == []
