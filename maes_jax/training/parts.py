"""Populations and batches one by one, so that what is worked on stays in the cache of a CPU."""

from collections.abc import Callable, Mapping

import chex
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import batching
from maes_jax import devices
from maes_jax import tasks
from maes_jax.encoder_solver import Params

# Bytes of parameters from which on a CPU does better to read them once for a whole batch.
LARGE = 2**23


def by_model(
    function: Callable, active: Callable[..., chex.Array], mesh: jax.sharding.Mesh) -> Callable:
  """Maps the function of one model over a population, leaves [K, ...], dealt out on a mesh.

  A CPU takes its models one by one, an accelerator, which is wide, all at once.

  Args:
    function: from a model's state to its next.
    active: whether that changes the state at all; a model that it would not change takes no time
      where one device takes them one by one.
    mesh: the devices.
  """
  shares = mesh.shape[devices.MODELS]

  def of_population(population):
    size = len(jax.tree.leaves(population)[0])
    dealt = jax.tree.map(lambda leaf: leaf.reshape(shares, -1, *leaf.shape[1:]), population)
    results = batching.vmap(of_device, spmd_axis_name=devices.MODELS)(dealt)
    return jax.tree.map(lambda leaf: leaf.reshape(size, *leaf.shape[2:]), results)

  def of_device(models):
    return lax.map(of_one, models) if _on_cpu() else batching.vmap(function)(models)

  def of_one(model):
    if shares > 1:  # Under `vmap` a condition makes all that it guards differ from share to share.
      return function(model)
    return lax.cond(active(model), function, lambda same: same, model)

  return of_population


def order(lengths: chex.Array, mesh: jax.sharding.Mesh) -> chex.Array:
  """Indices [B] that put a batch of such lengths [B] in the order of shares.

  Every share goes from the shortest sequence to the longest: they go through them together.
  """
  return lengths.argsort().reshape(-1, mesh.shape[devices.BATCH]).T.ravel()


def value_and_grad(
    loss: Callable[..., chex.Array],
    params: Params,
    episodes: Mapping[str, tasks.Episode],  # by task, leaves [B, ...]
    mesh: jax.sharding.Mesh,
) -> tuple[chex.Array, Params]:
  """The loss of a batch and its gradient by `params`, as sums over parts of the batch.

  A part is computed up to its own longest sequence.

  Args:
    loss: (params, a part's episodes, answers by task that count in the whole batch) -> the part's
      summand of the loss.
    params: what is differentiated by.
    episodes: as `order` has them.
    mesh: the devices that share the batch.
  """
  shares = mesh.shape[devices.BATCH]
  answers = {name: batch.mask.sum() for name, batch in episodes.items()}
  size = len(next(iter(episodes.values())).length)
  parts = count(params, size // shares)
  dealt = jax.tree.map(lambda leaf: leaf.reshape(shares, parts, -1, *leaf.shape[1:]), episodes)

  def of_share(params, episodes):
    def add(total, part):
      summand = jax.value_and_grad(loss)(params, part, answers)
      return jax.tree.map(jnp.add, total, summand), None

    nothing = jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, params)
    return lax.scan(add, nothing, episodes)[0]

  results = devices.by_share(of_share, mesh)(params, dealt)
  return jax.tree.map(lambda leaf: leaf.sum(0), results)


def count(params: Params, size: int) -> int:
  """How many parts to cut so many sequences into; see `LARGE`."""
  large = sum(leaf.nbytes for leaf in jax.tree.leaves(params)) > LARGE
  return size if _on_cpu() and not large else 1


def _on_cpu():
  return jax.default_backend() == 'cpu'
