"""Saving and restoring trees of arrays, checked by content; the only file that knows orbax.

A step is written to a temporary name and renamed, so that a kill leaves no half of one. Every
leaf's digest is stored beside it and verified: a damaged checkpoint is an error or gives way to
an older one, never a silently different model.
"""

import hashlib
import logging
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from maes_jax import errors

KEEP = 2  # The newest and, should that be damaged, one to fall back to.


def save(directory: pathlib.Path, step: int, tree: Any):
  """Saves a tree of arrays as `step`, a step already there included; keeps the newest two.

  Raises:
    UserError: the folder cannot be written.
  """
  policy = ocp.training.preservation_policies.LatestN(KEEP)
  try:
    _drop_after(directory, step)
    with ocp.training.Checkpointer(directory.absolute(), preservation_policy=policy) as writer:
      writer.save(step, tree, custom_metadata={'digests': _digests(tree)}, overwrite=True)
  except OSError as error:
    raise errors.UserError(f'cannot save a checkpoint in {directory}: {error.strerror or error}; '
                           'free some space or use another workdir') from error


def _drop_after(directory, step):
  """Steps beyond the one to save are damaged: the run was taken up before them. They go."""
  for later in steps(directory):
    if later > step:
      shutil.rmtree(directory / str(later))


def steps(directory: pathlib.Path) -> list[int]:
  """The steps saved there, newest first."""
  if not directory.is_dir():
    return []
  return sorted((int(path.name) for path in directory.iterdir() if path.name.isdigit()),
                reverse=True)


def restore(directory: pathlib.Path, like: Any) -> tuple[int, Any]:
  """Restores the newest intact step.

  Args:
    directory: where `save` wrote.
    like: arrays or shapes for the part of the tree that is wanted; the rest is not read.

  Returns:
    The step and the restored tree, in the structure of `like`.

  Raises:
    UserError: no checkpoint is there, or none is intact or has these shapes.
  """
  failures = []
  for step in steps(directory):
    try:
      return step, _load(directory, step, like)
    except Exception as error:  # pylint: disable=broad-except; orbax raises all kinds
      reason = (str(error).strip() or type(error).__name__).splitlines()[0]
      failures.append(f'step {step}: {reason}')
      logging.getLogger(__name__).warning('checkpoint %s %s', directory, failures[-1])
  if failures:
    raise errors.UserError(f'no intact checkpoint in {directory} ({"; ".join(failures)}); '
                           'restore the folder from a copy or train again')
  raise errors.UserError(f'no checkpoint in {directory}; give the workdir of a training run')


def _load(directory, step, like):
  context = ocp.Context()
  context.pytree.loading.partial_load = True
  with context, ocp.training.Checkpointer(directory.absolute()) as reader:
    digests = reader.metadata(step).custom_metadata['digests']
    tree = reader.load(step, jax.tree.map(_abstract, like))
  _verify(tree, digests, like)
  return tree


def _abstract(leaf):
  sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _verify(tree, digests, like):
  for path, digest in _digests(tree).items():
    if digests.get(path) != digest:
      raise ValueError(f'{path} is not what was saved')
  for wanted, found in zip(jax.tree.leaves(like), jax.tree.leaves(tree), strict=True):
    if wanted.shape != found.shape:
      raise ValueError(f'shape {found.shape} was saved, {wanted.shape} is wanted')


def _digests(tree) -> dict[str, str]:
  """A digest of the shape, type and bytes of every leaf, by its path."""
  digests = {}
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    array = np.asarray(leaf)
    content = f'{array.dtype} {array.shape} '.encode() + array.tobytes()
    digests[jax.tree_util.keystr(path)] = hashlib.blake2b(content, digest_size=16).hexdigest()
  return digests
