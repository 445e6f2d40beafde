"""Dynamic N-grams, a task of the Neural Turing Machine (Graves et al., arXiv 1410.5401, 4.4).

Each episode has a table of its own: for every context of the last N - 1 bits the probability that a
1 comes next, drawn from Beta(1/2, 1/2). What is asked is that probability, bit after bit. After N0
zeros and N1 ones in a context the best that can be said is (N1 + 1/2) / (N0 + N1 + 1).

That is the target. The loss, relative entropy, is what cross-entropy with the bit that comes, which
the paper trains with, costs on average above its least: the same gradient, without its noise.
"""

import dataclasses
import functools
from typing import ClassVar

import chex
import jax
from jax import lax
import jax.numpy as jnp
from jax.scipy import special
import optax

from maes_jax import errors
from maes_jax import limits
from maes_jax import phases
from maes_jax.items import Bits
from maes_jax.items import check_tolerance
from maes_jax.phases import Phase
from maes_jax.tasks import episode

_CONTROL_BITS = 2
_MOST_CONTEXT = 16  # Bits; a table has two to that many rows.


@dataclasses.dataclass(frozen=True)
class Chance:
  """The probability of a 1, answered as its logit; relative entropy to the target in nats.

  Attributes:
    tolerance: how far off a probability may be and still be right.
  """
  tolerance: float = 0.05
  unit = 'bit'
  width: ClassVar[int] = 1
  outputs: ClassVar[int] = 1
  embedding: ClassVar[None] = None

  def __post_init__(self):
    check_tolerance('a chance', self.tolerance, below=1)

  def draw(self, key: chex.PRNGKey, count: int) -> chex.Array:
    return jax.random.uniform(key, (count, 1), jnp.float32)

  def losses(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    entropy = _entropy(targets) + _entropy(1 - targets)
    return optax.sigmoid_binary_cross_entropy(outputs, targets) - entropy

  def right(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    return jnp.abs(self.decoded(outputs) - targets) <= self.tolerance

  def decoded(self, outputs: chex.Array) -> chex.Array:
    return jax.nn.sigmoid(outputs)

  def chosen(self, outputs: chex.Array) -> chex.Array:
    return self.decoded(outputs)


def _entropy(chance):
  """`entr`, which at 0 would multiply 0 by infinity before it drops that; at 1 it is 0, too."""
  return special.entr(jnp.where(chance == 0, 1., chance))


def dynamic_ngrams(
    name: str = 'dynamic_ngrams', order: int = 6, tolerance: float = 0.05) -> episode.Task:
  """# the first N - 1 bits $ the others: before each of these, the probability that it is a 1.

  `length` counts bits. The solver reads each bit once, counts and answers; an encoder reads those
  that no context goes before. A probability is right within `tolerance` of the best estimate.
  """
  context = limits.size('order', order, 2) - 1
  if context > _MOST_CONTEXT:
    raise errors.UserError(f'order: {order:,}; it must be at most {_MOST_CONTEXT + 1}')
  return episode.Task(
      name, 1, functools.partial(_predict, context=context), items=Bits(1),
      answers=Chance(tolerance), at_least=order, stores=functools.partial(_contexts, context))


def _contexts(context, length):
  """An address for each context that there may be a count of."""
  return jnp.minimum(length, 2 ** context)


def _predict(key, items, length, *, context):
  table_key, bit_key = jax.random.split(key)
  size, first = len(items), items[:context, 0].astype(jnp.int32)
  # The arcsine law: Beta(1/2, 1/2) is that of sin^2 of a uniform angle.
  table = jnp.sin(jnp.pi / 2 * jax.random.uniform(table_key, (2 ** context,), jnp.float32))**2
  draws = jax.random.uniform(bit_key, (size - context,), jnp.float32)
  bits, estimates = _stream(table, draws, first)
  there = phases.within(length - context, size - context)
  read = jnp.where(there[1:], bits[:-1], 0).astype(jnp.float32)
  return (
      Phase(episode.marked(items[:context], episode.STORE, _CONTROL_BITS),
            jnp.int32(1 + context)),
      Phase(episode.marked(read[:, None], episode.RECALL, _CONTROL_BITS), length - context,
            estimates[:, None], there, cell=phases.SOLVER, start=phases.RESTART))


def _stream(table, draws, first):
  """Bits [T] from a table of probabilities, and before each the best estimate of its own."""
  contexts, powers = len(table), 2 ** jnp.arange(len(first), dtype=jnp.int32)

  def step(carry, draw):
    recent, counts = carry
    zeros, ones = counts[0, recent], counts[1, recent]
    bit = (draw < table[recent]).astype(jnp.int32)
    after = (2 * recent + bit) % contexts, counts.at[bit, recent].add(1)
    return after, (bit, (ones + 0.5) / (zeros + ones + 1))

  start = jnp.sum(first * powers[::-1]), jnp.zeros((2, contexts), jnp.float32)
  return lax.scan(step, start, draws)[1]


TASKS = (dynamic_ngrams(),)
