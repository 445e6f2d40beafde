"""Self times of nested events, and a real profile."""

import jax
import jax.numpy as jnp
import pytest

from experiments.bench import profiling
from maes_jax import compilation


def test_time_inside_an_inner_event_counts_for_that_one():
  events = [('while', 0, 100), ('dot', 10, 30), ('fusion', 50, 20), ('dot', 55, 5),
            ('copy', 100, 7)]
  assert profiling.exclusive(events) == {'while': 50, 'dot': 35, 'fusion': 15, 'copy': 7}


def test_events_may_come_in_any_order():
  assert profiling.exclusive([('inner', 2, 1), ('outer', 0, 9)]) == {'outer': 8, 'inner': 1}


@pytest.mark.parametrize(('name', 'kind'), [
    ('ynn_fusion', 'library calls'),
    ('dot.86', 'matrix products'),
    ('ThunkExecutor::Execute', 'dispatch, loops and waiting'),
    ('while.3', 'dispatch, loops and waiting'),
    ('add_divide_fusion.2', 'element-wise operations and reductions'),
    ('copy.418', profiling.COPIES),
    ('gather_bitcast_fusion.1', profiling.COPIES),
    ('wrapped_scatter', profiling.COPIES),
    ('multiply_pad_fusion.1', 'element-wise operations and reductions'),
    ('surprise', profiling.OTHER),
])
def test_kinds_of_operations(name, kind):
  assert profiling.kind(name) == kind


@pytest.mark.parametrize('side, kind', [
    (1000, 'matrix products'), (30, 'loops compiled as one function')])
def test_a_chain_of_products_spends_its_time_on_them(side, kind):
  x = jnp.full((side, side), 1 / side)
  chain = compilation.jit(lambda x: jax.lax.fori_loop(0, 50, lambda _, power: power @ x, x))
  chain(x)
  found = profiling.shares(lambda: chain(x).block_until_ready())
  assert max(found['kinds'], key=found['kinds'].get) == kind
  assert sum(found['kinds'].values()) == pytest.approx(1)
