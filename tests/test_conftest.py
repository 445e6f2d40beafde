"""What is said at the end of all tests."""

import types

import conftest


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
