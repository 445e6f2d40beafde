"""Priority sort, a task of the Neural Turing Machine (Graves et al., arXiv 1410.5401, 4.5).

Every word comes with a priority; the words of highest priority are asked for, the highest first.
"""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp

from maes_jax import errors
from maes_jax import limits
from maes_jax import phases
from maes_jax.items import Bits
from maes_jax.items import Vectors
from maes_jax.tasks import episode


@dataclasses.dataclass(frozen=True)
class Rated(Vectors):
  """Words of fair bits with a priority behind them, uniform between -1 and 1: `width` in all."""

  def draw(self, key: chex.PRNGKey, count: int) -> chex.Array:
    word_key, rating_key = jax.random.split(key)
    ratings = jax.random.uniform(rating_key, (count, 1), jnp.float32, -1, 1)
    return jnp.concatenate([Bits(self.width - 1).draw(word_key, count), ratings], axis=1)


def priority_sort(
    name: str = 'priority_sort', bits: int = 8, shown: int = 20, asked: int = 16) -> episode.Task:
  """# items $: of `shown` items the `asked` of highest priority, that first; without priorities.

  `length` counts items; of another number of them the same fraction is asked for, rounded up. Of
  items of the same priority the one that was shown first goes first. The solver has to find items
  by what they are, in an order in which none of them came.
  """
  kind = Rated(limits.size('bits of a word', bits) + 1)
  shown, asked = limits.size('items shown', shown), limits.size('items asked for', asked)
  if asked > shown:
    raise errors.UserError(f'items asked for: {asked:,}; they must be at most the {shown:,} shown')
  ask = functools.partial(_by_priority, shown=shown, asked=asked)
  return episode.Task(name, bits, ask, items=kind)


def _by_priority(key, items, length, *, shown, asked):
  del key
  size = len(items)
  there = phases.within(length, size)
  order = jnp.argsort(jnp.where(there, -items[:, -1], jnp.inf), stable=True)
  return episode.Question(
      aux=jnp.zeros_like(items), targets=items[order, :-1],
      mask=phases.within(-(-length * asked // shown), size))


TASKS = (priority_sort(),)
