"""Populations and batches in parts, so that what is being worked on stays in the cache of a CPU."""

from collections.abc import Callable, Mapping

import chex
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import batching
from maes_jax import devices
from maes_jax import encoder_solver
from maes_jax import tasks
from maes_jax.encoder_solver import Params

# What each device takes on at a time: the best of 2 to 64 on CPUs.
MODELS = 4
SEQUENCES = 4
# Bytes from which on a model fills a cache by itself: such models take turns one by one.
LARGE = 2**20


def count(size: int, shares: int, least: int) -> int:
  """How many parts to cut an axis into whose parts are shared by so many devices.

  Each device gets at least `least` of every part. An accelerator takes all at once: it is wide.
  """
  if jax.default_backend() != 'cpu':
    return 1
  even = (parts for parts in range(1, size + 1) if size % (parts * shares) == 0)
  return max((parts for parts in even if size // parts >= least * shares), default=1)


def by_model(
    function: Callable, active: Callable[..., chex.Array], mesh: jax.sharding.Mesh) -> Callable:
  """Maps the function of one model over a population, leaves [K, ...], dealt out on a mesh.

  Args:
    function: from a model's state to its next.
    active: whether that changes the state at all; a turn of models that it would not change takes
      no time, unless several devices take turns together.
    mesh: the devices.
  """
  shares = mesh.shape[devices.MODELS]

  def of_population(population):
    leaves = jax.tree.leaves(population)
    size = len(leaves[0])
    large = sum(leaf.nbytes for leaf in leaves) > LARGE * size
    turns = count(size, shares, 1 if large else MODELS)
    dealt = jax.tree.map(lambda leaf: leaf.reshape(shares, turns, -1, *leaf.shape[1:]), population)
    results = batching.vmap(of_device, spmd_axis_name=devices.MODELS)(dealt)
    return jax.tree.map(lambda leaf: leaf.reshape(size, *leaf.shape[3:]), results)

  def of_device(models):
    return lax.map(of_turn, models)

  def of_turn(models):
    turn = batching.vmap(function)
    if shares > 1:  # Under `vmap` a condition makes all that it guards differ from share to share.
      return turn(models)
    return lax.cond(batching.vmap(active)(models).any(), turn, lambda same: same, models)

  return of_population


def order(lengths: chex.Array, mesh: jax.sharding.Mesh) -> chex.Array:
  """Indices [B] that put a batch of such lengths [B] in the order of shares, and those of parts.

  Parts are sorted by length, and every device has its share of each: they go through them together.
  """
  shares = mesh.shape[devices.BATCH]
  parts = count(lengths.size, shares, SEQUENCES)
  return lengths.argsort().reshape(parts, shares, -1).swapaxes(0, 1).ravel()


def value_and_grad(
    loss: Callable[..., chex.Array],
    params: Params,
    episodes: Mapping[str, tasks.Episode],  # by task, leaves [B, ...]
    mesh: jax.sharding.Mesh,
) -> tuple[chex.Array, Params]:
  """The loss of a batch and its gradient by `params`, as sums over parts of the batch.

  A part is computed up to its own longest sequence: where those of similar lengths lie in one,
  little padding is computed.

  Args:
    loss: (params, a part's episodes, answers by task that count in the whole batch, steps that its
      longest sequence takes) -> the part's summand of the loss.
    params: what is differentiated by.
    episodes: as `order` has them.
    mesh: the devices that share the batch.
  """
  shares = mesh.shape[devices.BATCH]
  size = len(jax.tree.leaves(episodes)[0])
  parts = count(size, shares, SEQUENCES)
  answers = {name: batch.mask.sum() for name, batch in episodes.items()}
  dealt = jax.tree.map(lambda leaf: leaf.reshape(shares, parts, -1, *leaf.shape[1:]), episodes)
  steps = jax.vmap(encoder_solver.longest, in_axes=1)(dealt)

  def of_share(params, episodes):
    def add(total, part):
      episodes, steps = part
      summand = jax.value_and_grad(loss)(params, episodes, answers, steps)
      return jax.tree.map(jnp.add, total, summand), None

    nothing = jnp.zeros(()), jax.tree.map(jnp.zeros_like, params)
    return lax.scan(add, nothing, (episodes, steps))[0]

  results = devices.by_share(of_share, mesh)(params, dealt)
  return jax.tree.map(lambda leaf: leaf.sum(0), results)
