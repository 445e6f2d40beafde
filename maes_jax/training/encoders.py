"""Whether an encoder is the one that a run began with: by its numbers, not by where it lies."""

from collections.abc import Mapping
import hashlib
import os
import pathlib
from typing import Any

import jax
import numpy as np

from maes_jax import checkpoints
from maes_jax import files
from maes_jax.config import Config


def digest(pretrained: Mapping[str, Any]) -> str:
  """What tells parameters taken over, by top-level key, from any others."""
  found = sorted(checkpoints.digests(pretrained).items())
  return hashlib.blake2b(repr(found).encode(), digest_size=16).hexdigest()


def same(
    pretrained: Mapping[str, Any], noted: str | None, directory: pathlib.Path, here: Config,
    asked: Config) -> bool:
  """Whether these parameters are what a run began with.

  Args:
    pretrained: the parameters, of one model.
    noted: their `digest` when it began. None in folders of version 0.1: their checkpoints hold
      the same numbers while they are frozen; else only the place is left to compare.
    directory: of its checkpoints.
    here: the run's config.
    asked: the config that it is to go on with.
  """
  if noted is not None:
    return noted == digest(pretrained)
  place = [(config.encoder and os.path.realpath(files.local(config.encoder)),
            config.encoder_model) for config in (here, asked)]
  return place[0] == place[1] or (
      not here.unfreeze and _frozen_in(directory, pretrained, here.seeds))


def _frozen_in(directory, pretrained, models):
  """Whether every model of the population has these parameters in all that was saved."""
  population = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (models, *leaf.shape)), pretrained)
  wanted = checkpoints.digests({'params': population}).items()
  saved = checkpoints.saved_digests(directory).values()
  return bool(saved) and all(wanted <= step.items() for step in saved)
