"""What an item is: how it is drawn, how wide it is, what its loss is and when an answer is right.

A task stores items of one kind and may be answered in another: Sequence Comparison stores words of
8 bits and answers one bit. Whatever has the attributes and methods of `Items` is a kind of its own.
"""

import dataclasses
from typing import Any, ClassVar, Protocol

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from maes_jax import errors
from maes_jax import limits


class Items(Protocol):
  """A kind of item.

  Attributes:
    width: D, numbers of an item as a cell reads it, after the control bits.
    outputs: Y, numbers of an answer.
    unit: what is counted right or wrong, in one word, e.g. bit.
    embedding: turns [..., D] into what the cells read instead, with parameters under the top-level
      key `embed`; None: cells read items as they are.
  """

  @property
  def width(self) -> int: ...
  @property
  def outputs(self) -> int: ...
  @property
  def unit(self) -> str: ...
  @property
  def embedding(self) -> nn.Module | None: ...

  def draw(self, key: chex.PRNGKey, count: int) -> chex.Array:
    """`count` random items [count, D] in float32."""

  def losses(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    """The loss of each unit [..., U], from what a cell answers and the targets, both [..., Y]."""

  def right(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    """Whether each unit is right [..., U]; what is no number never is."""

  def decoded(self, outputs: chex.Array) -> chex.Array:
    """What a cell answers in the terms of the targets [..., Y], e.g. as probabilities."""

  def chosen(self, outputs: chex.Array) -> chex.Array:
    """The same without doubt, as a user gives it: bits, numbers of tokens [...], real numbers."""


@dataclasses.dataclass(frozen=True)
class Bits:
  """Words of bits, each fair; binary cross-entropy in nats (paper, section 4.1).

  Attributes:
    width: bits of a word.
  """
  width: int = 8
  unit = 'bit'
  embedding: ClassVar[None] = None

  def __post_init__(self):
    limits.size('bits of a word', self.width)

  @property
  def outputs(self) -> int:
    return self.width

  def draw(self, key: chex.PRNGKey, count: int) -> chex.Array:
    # Whatever JAX's default precision is, the same key draws the same words.
    return _single(jax.random.bernoulli(key, jnp.float32(0.5), shape=(count, self.width)))

  def losses(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    return optax.sigmoid_binary_cross_entropy(outputs, targets)

  def right(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    return jnp.where(targets > 0.5, outputs > 0, outputs <= 0)  # What is no number is neither.

  def decoded(self, outputs: chex.Array) -> chex.Array:
    return jax.nn.sigmoid(outputs)

  def chosen(self, outputs: chex.Array) -> chex.Array:
    return (outputs > 0).astype(jnp.int32)


class Embedding(nn.Module):
  """What is learnt for each token; its field is a number, so that unlike `nn.Dense` it pickles."""
  features: int

  @nn.compact
  def __call__(self, token: chex.Array) -> chex.Array:
    """One-hot [..., D] -> [..., features]."""
    size = token.shape[-1], self.features
    return token @ self.param('kernel', nn.initializers.lecun_normal(), size, jnp.float32)


@dataclasses.dataclass(frozen=True)
class Tokens:
  """Tokens of a vocabulary, one-hot; cross-entropy of a softmax in nats, one unit a token.

  Attributes:
    vocabulary: how many tokens there are, all equally likely.
    embedded: cells read that many numbers instead, learnt for each token; 0: the one-hot token.
  """
  vocabulary: int
  embedded: int = 0
  unit = 'token'

  def __post_init__(self):
    limits.size('tokens of a vocabulary', self.vocabulary)
    limits.size('numbers that a token is embedded in', self.embedded, smallest=0)

  @property
  def width(self) -> int:
    return self.vocabulary

  @property
  def outputs(self) -> int:
    return self.vocabulary

  @property
  def embedding(self) -> nn.Module | None:
    return Embedding(self.embedded) if self.embedded else None

  def draw(self, key: chex.PRNGKey, count: int) -> chex.Array:
    return self.one_hot(jax.random.randint(key, (count,), 0, self.vocabulary, jnp.int32))

  def one_hot(self, tokens: chex.Array) -> chex.Array:
    """Numbers of tokens [...] as items [..., D]."""
    return jax.nn.one_hot(tokens, self.vocabulary, dtype=jnp.float32)

  def losses(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    return optax.softmax_cross_entropy(outputs, targets)[..., None]

  def right(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    right = outputs.argmax(-1) == targets.argmax(-1)  # Of the first that is no number, if any is.
    return (right & ~jnp.isnan(outputs).any(-1))[..., None]

  def decoded(self, outputs: chex.Array) -> chex.Array:
    return jax.nn.softmax(outputs)

  def chosen(self, outputs: chex.Array) -> chex.Array:
    return outputs.argmax(-1)


@dataclasses.dataclass(frozen=True)
class Vectors:
  """Real vectors, uniform between 0 and 1; squared error, one unit a number.

  Attributes:
    width: numbers of a vector.
    tolerance: how far off a number may be and still be right.
  """
  width: int
  tolerance: float = 0.05
  unit = 'number'
  embedding: ClassVar[None] = None

  def __post_init__(self):
    limits.size('numbers of a vector', self.width)
    check_tolerance('vectors', self.tolerance)
    object.__setattr__(self, 'tolerance', float(self.tolerance))

  @property
  def outputs(self) -> int:
    return self.width

  def draw(self, key: chex.PRNGKey, count: int) -> chex.Array:
    return jax.random.uniform(key, (count, self.width), jnp.float32)

  def losses(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    return (outputs - targets)**2

  def right(self, outputs: chex.Array, targets: chex.Array) -> chex.Array:
    return jnp.abs(outputs - targets) <= self.tolerance

  def decoded(self, outputs: chex.Array) -> chex.Array:
    return outputs

  def chosen(self, outputs: chex.Array) -> chex.Array:
    return outputs


def by_unit(what: str, found: chex.Array, shape: tuple[int, ...]) -> chex.Array:
  """What a kind says of each unit [..., U] of answers [...].

  Raises:
    UserError: it is of another shape, which would be spread over answers that do not count, too.
  """
  if np.ndim(found) != len(shape) + 1 or np.shape(found)[:-1] != shape:
    given, wanted = (', '.join(map(str, (*shape, last))) for last in 'YU')
    raise errors.UserError(f'{what} gives {list(np.shape(found))} for answers [{given}]; it must '
                           f'give one number for each unit, [{wanted}]')
  return found


def _single(array):
  return array.astype(jnp.float32)


def check_tolerance(what: str, tolerance: Any, below: float = np.inf):
  """Raises UserError where it is no number between 0 and that."""
  kinds = int | float | np.integer | np.floating
  is_number = isinstance(tolerance, kinds) and not isinstance(tolerance, bool)
  if not is_number or not 0 < tolerance < below:
    allowed = 'finite number above 0' if below == np.inf else f'number between 0 and {below}'
    raise errors.UserError(
        f'the tolerance of {what} is {errors.shortened(tolerance)}; it must be a {allowed}')
