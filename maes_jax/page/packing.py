"""Arrays small enough for a page: three decimals, differences over time, deflated, base64.

Between two steps most of a memory stays as it is, so that differences are mostly 0.
"""

import base64
from typing import Any
import zlib

import numpy as np

from maes_jax import errors

DECIMALS = 3  # What the page shows, and so all that it needs.


def pack(name: str, array: np.ndarray) -> dict[str, Any]:
  """Packs [T, ...] into {shape, scale, type, data}, to be read by `unpack` in page.js.

  Raises:
    UserError: not every number is finite.
  """
  if not np.isfinite(array).all():
    raise errors.UserError(f'{name} of this model is not finite: its training has diverged; '
                           'choose another model of the population or train again')
  whole = np.rint(np.asarray(array, np.float64) * 10**DECIMALS)
  kind = np.int16 if np.abs(whole).max() <= np.iinfo(np.int16).max else np.int32
  whole = np.clip(whole, np.iinfo(kind).min, np.iinfo(kind).max).astype(kind)
  # Differences wrap around, and so do the sums that undo them.
  differences = np.diff(whole, axis=0, prepend=np.zeros_like(whole[:1]))
  return {
      'shape': array.shape, 'scale': 10**DECIMALS, 'type': np.dtype(kind).name,
      'data': base64.b64encode(zlib.compress(differences.tobytes())).decode()}
