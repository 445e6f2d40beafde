"""What holds for all tests: one platform, strict shapes, quick compiles."""

import jax

# The same numbers on every machine, with or without an accelerator.
jax.config.update('jax_platforms', 'cpu')
# [3] + [2, 3] is more often a forgotten axis than meant.
jax.config.update('jax_numpy_rank_promotion', 'raise')
# Programs here run for milliseconds but compile for seconds; unoptimised ones compile in half.
jax.config.update('jax_disable_most_optimizations', True)


def pytest_terminal_summary(terminalreporter):
  """Says at the end what a machine without a browser left out: a skip is easily overlooked."""
  skipped = [report for report in terminalreporter.stats.get('skipped', ())
             if 'chromium' in str(report.longrepr)]
  if skipped:
    terminalreporter.write_line(f'{len(skipped)} tests of the memory page were skipped: they need '
                                'a browser; run: apt-get install chromium')
