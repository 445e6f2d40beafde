"""What the library asks its compiler for."""

import jax
import pytest

from maes_jax import compilation

LEVEL = 'xla_backend_optimization_level'


@pytest.mark.parametrize('plain, level', [(False, 1), (True, None)])
def test_who_asks_jax_for_plain_programs_gets_them(monkeypatch, plain, level):
  """A level of ours would go before JAX's own setting, which the tests make use of."""
  before, asked, jit = jax.config.read('jax_disable_most_optimizations'), [], jax.jit

  def noted(function, compiler_options):
    asked.append(compiler_options)
    return jit(function, compiler_options=compiler_options)

  monkeypatch.setattr(jax, 'jit', noted)
  jax.config.update('jax_disable_most_optimizations', plain)
  try:
    assert compilation.jit(lambda x: x + 1)(1) == 2
  finally:
    jax.config.update('jax_disable_most_optimizations', before)
  assert asked[-1].get(LEVEL) == level
  assert len(asked[-1]) >= 1
