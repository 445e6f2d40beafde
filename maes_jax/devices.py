"""Many devices as one: a population and its batches, spread over a mesh.

Models need no word from each other, so they are dealt out first; what devices are then left over
share the batches. One process sees all its devices; several processes, each with its own, see
the same mesh and run the same program (`jax.distributed`). Nothing else knows of devices.

Within `spread`, which is `jax.shard_map`, a program is that of one device: it has its models and
its `share` of their batches, and what is added up over a whole batch is a `total`.
"""

from collections.abc import Callable, Sequence
import contextlib
import dataclasses
import functools
from typing import Any

import jax
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np

from maes_jax import errors

MODELS, BATCH = 'models', 'batch'  # The axes of a mesh.
# What a device has of an array: of a population's [K, ...], of its batches' [K, B, ...], of a
# batch's [B, ...]; all of it.
OF_MODELS, OF_ALL = PartitionSpec(MODELS), PartitionSpec(MODELS, BATCH)
OF_BATCH, WHOLE = PartitionSpec(BATCH), PartitionSpec()
CHECK = False  # See `spread`.
_PLATFORMS = 'jax_platforms'  # JAX's option that JAX_PLATFORMS sets.


def first(count: int | None = None) -> list[jax.Device]:
  """The first `count` devices of all processes; None for all.

  Raises:
    UserError: there are fewer, or none of the platform that JAX is told to use.
  """
  found = _all()
  if count is not None and not 1 <= count <= len(found):
    raise errors.UserError(f'devices is {count}; this run has {len(found)} of kind '
                           f'{found[0].platform}, use 1 to {len(found)}')
  return found[:count]


def _all():
  try:
    return jax.devices()
  except (AssertionError, RuntimeError) as error:  # JAX asserts where a plugin is not installed.
    if not getattr(jax.config, _PLATFORMS):
      raise
    raise errors.UserError(missing(error)) from error


def missing(error: Exception) -> str:
  """What JAX says the first time that it looks for devices and finds none, in words."""
  reason = ' '.join(str(error).split()) or 'JAX was installed without it'
  return (f'no device of the platform {getattr(jax.config, _PLATFORMS)!r} that JAX_PLATFORMS names '
          f'({reason}); unset it, or install what JAX needs for it')


def mesh(models: int, batch: int, given: Sequence[jax.Device]) -> jax.sharding.Mesh:
  """As many of the given devices as a population of `models` with batches of `batch` can share.

  Every device gets as many models, and as many sequences of their batches, as any other.

  >>> dict(mesh(models=4, batch=1, given=jax.devices()[:1]).shape)
  {'models': 1, 'batch': 1}
  """
  most = len(given)
  shapes = ((m, b) for m in _divisors(models, most) for b in _divisors(batch, most)
            if m * b <= most)
  shape = max(shapes, key=lambda shape: (np.prod(shape), shape))
  return jax.sharding.Mesh(np.array(given[:np.prod(shape)]).reshape(shape), (MODELS, BATCH))


def _divisors(number, most):
  return [part for part in range(1, min(number, most) + 1) if number % part == 0]


class Picklable:
  """A dataclass with a field `devices`; what it compiled stays behind.

  Devices are those of a process: elsewhere it gets the ones of the same numbers or, if they are
  not there, as many others.
  """

  def __getstate__(self):
    fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
    return {**fields, 'devices': [device.id for device in self.devices]}

  def __setstate__(self, state):
    self.__dict__.update(state, devices=_of_numbers(state['devices']))


def _of_numbers(numbers):
  found = {device.id: device for device in first()}
  return [found[i] for i in numbers if i in found] or first(min(len(numbers), len(found)))


def by_model(mesh: jax.sharding.Mesh) -> NamedSharding:
  """How arrays [K, ...] of a population lie on a mesh."""
  return NamedSharding(mesh, OF_MODELS)


def everywhere(mesh: jax.sharding.Mesh) -> NamedSharding:
  """How arrays that every device needs whole lie on a mesh."""
  return NamedSharding(mesh, WHOLE)


def spread(function: Callable, mesh: jax.sharding.Mesh, in_specs: Any, out_specs: Any) -> Callable:
  """`jax.shard_map`: the function of all, from a function of what each device has of it."""
  # Tasks and cells of users may start loops at constants, which the check of what differs from
  # device to device refuses. The tests have it on, for all models and tasks of ours.
  return jax.shard_map(
      function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=CHECK)


def within(mesh: jax.sharding.Mesh) -> contextlib.AbstractContextManager:
  """In which what is spread over a mesh runs, also where somebody has set another (`jax.set_mesh`).
  """
  return contextlib.nullcontext() if jax.sharding.get_abstract_mesh().empty else jax.set_mesh(mesh)


def share(tree: Any, mesh: jax.sharding.Mesh) -> Any:
  """What a device has of arrays [B, ...] of a batch, inside `spread`."""
  shares = mesh.shape[BATCH]
  if shares == 1:
    return tree
  return jax.tree.map(lambda leaf: leaf[lax.axis_index(BATCH)], cut(tree, shares))


def cut(tree: Any, parts: int) -> Any:
  """Arrays [B, ...] as [parts, B / parts, ...]; their other axes may be of size 0."""
  return jax.tree.map(lambda leaf: leaf.reshape(parts, len(leaf) // parts, *leaf.shape[1:]), tree)


def total(tree: Any, mesh: jax.sharding.Mesh) -> Any:
  """Sums over the devices that share a batch, inside `spread`."""
  return tree if mesh.shape[BATCH] == 1 else lax.psum(tree, BATCH)


def place(tree: Any, sharding: NamedSharding) -> Any:
  """Puts arrays that every process holds whole onto the devices."""
  return jax.tree.map(functools.partial(_place, sharding=sharding), tree)


def _place(leaf, sharding):
  array = np.asarray(leaf)
  return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def fetch(tree: Any) -> Any:
  """The arrays of all devices, whole, in the memory of every process.

  What lies on a process's own devices alone is whole there; what is no array of JAX, of each
  process another, comes one after the other.
  """
  own = lambda leaf: isinstance(leaf, jax.Array) and leaf.is_fully_addressable
  if jax.process_count() == 1 or all(map(own, jax.tree.leaves(tree))):
    return jax.device_get(tree)
  return multihost_utils.process_allgather(tree, tiled=True)


def leads() -> bool:
  """Whether this process is the one that writes."""
  return jax.process_index() == 0


def any_process(wish: bool) -> bool:
  """Whether any of the processes wishes it; all of them have to ask."""
  return wish if jax.process_count() == 1 else bool(fetch(np.array([wish])).any())


def wait_for_all(reason: str):
  """Goes on once every process is here."""
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(reason)
