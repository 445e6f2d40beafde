"""Models one by one and microbatches, so that a CPU keeps in its cache what it works on."""

from collections.abc import Callable, Mapping
from typing import Any

import chex
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import batching
from maes_jax import devices
from maes_jax import tasks
from maes_jax import varying
from maes_jax.encoder_solver import Params

# Of parameters; from there on a CPU does better to read them once for a whole batch.
LARGE_MODEL_BYTES = 2**23


def by_model(function: Callable, active: Callable[..., chex.Array]) -> Callable:
  """Maps the function of one model over those of a device, leaves [K, ...].

  A CPU takes its models one by one, an accelerator, which is wide, all at once.

  Args:
    function: from a model's state to its next.
    active: whether a model is still to be changed; one that is not takes no time where they are
      taken one by one.
  """

  def of_one(model):
    return lax.cond(active(model), function, lambda same: same, model)

  def of_all(models):
    return lax.map(of_one, models) if _on_cpu() else batching.vmap(function)(models)

  return of_all


def value_and_grad(
    loss: Callable[..., chex.Array],
    params: Params,
    episodes: Mapping[str, tasks.Episode],  # by task, leaves [B, ...]
    mesh: jax.sharding.Mesh,
    *more: chex.Array,  # [B, ...]
) -> tuple[chex.Array, Params]:
  """The loss of a batch and its gradient by `params`, added up over microbatches.

  Each is computed up to its own longest sequence.

  Args:
    loss: (params, a microbatch's episodes, answers by task that count in the whole batch, and what
      `more` has for it) -> what it adds to the loss.
    params: what is differentiated by.
    episodes: those that a device has of the batch.
    mesh: the devices that share it.
    more: what else there is of each sequence.
  """
  params = varying.like(params, episodes)  # The gradient is that of a device's own sequences.
  answers = devices.total({name: batch.mask.sum() for name, batch in episodes.items()}, mesh)
  def add(total, microbatch):
    episodes, more = microbatch
    summand = jax.value_and_grad(loss)(params, episodes, answers, *more)
    return jax.tree.map(jnp.add, total, summand), None

  nothing = varying.zeros((jnp.zeros((), jnp.float32), params), episodes)
  return devices.total(lax.scan(add, nothing, _cut(params, (episodes, more)))[0], mesh)


def map_batch(function: Callable[[Any], Any], params: Params, batch: Any) -> Any:
  """Maps a function of a microbatch, leaves [b, ...], over those of a batch, leaves [B, ...].

  Args:
    function: from a microbatch, a tree of arrays.
    params: of the model that it asks.
    batch: a tree of arrays.
  """
  found = lax.map(function, _cut(params, batch))
  return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found)


def _cut(params, batch):
  """A batch, leaves [B, ...], as microbatches [M, b, ...]."""
  return devices.cut(batch, count(params, len(jax.tree.leaves(batch)[0])))


def count(params: Params, size: int) -> int:
  """How many microbatches so many sequences are cut into; see `LARGE_MODEL_BYTES`."""
  large = sum(leaf.nbytes for leaf in jax.tree.leaves(params)) > LARGE_MODEL_BYTES
  return size if _on_cpu() and not large else 1


def _on_cpu():
  return jax.default_backend() == 'cpu'
