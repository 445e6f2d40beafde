"""A tree of arrays in a folder, as orbax stores it; the only file that knows orbax.

To import it takes longer than a model takes to answer: who stores or restores does.
"""

from collections.abc import Iterator, Mapping
import contextlib
import dataclasses
import logging
import pathlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp


@dataclasses.dataclass(frozen=True)
class Stored:
  """A folder with a tree, or for one."""
  path: pathlib.Path
  checkpointer: ocp.Checkpointer

  def save(self, tree: Any, said: Mapping[str, Any]):
    """Writes a tree of arrays, and what is said of it."""
    item = ocp.args.Composite(state=ocp.args.PyTreeSave(jax.device_get(tree)))
    self.checkpointer.save(self.path, args=item, custom_metadata=said)

  def look(self) -> tuple[Any, Mapping[str, Any]]:
    """The tree in orbax's words, of dictionaries and lists of shapes, and what is said of it."""
    found = self.checkpointer.metadata(self.path)
    return found.item_metadata['state'].tree, found.custom_metadata

  def restore(self, like: Any) -> Any:
    """The part of the tree that `like` has, as it was saved, in the memory of this process."""
    wanted = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), like)
    as_saved = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), like)
    part = ocp.args.PyTreeRestore(wanted, as_saved, partial_restore=True)
    return self.checkpointer.restore(self.path, args=ocp.args.Composite(state=part))['state']


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator[Stored]:
  """Orbax as it is used here: at once, quiet, and without a word to other processes."""
  this = jax.process_index()
  alone = ocp.options.MultiprocessingOptions(primary_host=this, active_processes={this})
  handler = ocp.CompositeCheckpointHandler(
      composite_options=ocp.CompositeOptions(multiprocessing_options=alone),
      state=ocp.PyTreeCheckpointHandler(multiprocessing_options=alone))
  # It logs tracebacks from its threads before it raises; what it raises says enough.
  with quiet('absl'), ocp.Checkpointer(
      handler, multiprocessing_options=alone) as checkpointer:
    yield Stored(path.absolute(), checkpointer)


@contextlib.contextmanager
def quiet(name: str) -> Iterator[None]:
  """Shows nothing that is logged under a name, unless it is critical."""
  logger = logging.getLogger(name)
  level = logger.level
  logger.setLevel(logging.CRITICAL)
  try:
    yield
  finally:
    logger.setLevel(level)
