"""What binds a certificate to its parameters and to itself, and arrays as JSON holds them.

Part of the checker, see there.
"""

import base64
from collections.abc import Mapping
import hashlib
import json
from typing import Any
import zlib

import numpy as np

from maes_jax.certificates.attention import require


def digest(params: Mapping[str, Any]) -> str:
  """Of the numbers of all layers, in the order of their names."""
  found = hashlib.sha256()
  for cell in sorted(params):
    for layer in sorted(params[cell]):
      for part in sorted(params[cell][layer]):
        value = np.ascontiguousarray(params[cell][layer][part], np.float64)
        found.update(f'{cell}/{layer}/{part} {value.shape} '.encode() + value.tobytes())
  return found.hexdigest()


def seal(certificate: Mapping[str, Any]) -> str:
  """Of all that the certificate says but this."""
  rest = {name: value for name, value in certificate.items() if name != 'seal'}
  return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def packed(numbers: np.ndarray) -> dict[str, Any]:
  """Small whole numbers as JSON can hold them."""
  data = zlib.compress(numbers.astype(np.uint8).tobytes(), 9)
  return {'shape': list(numbers.shape), 'data': base64.b64encode(data).decode()}


def unpacked(value: Mapping[str, Any]) -> np.ndarray:
  size = int(np.prod(value['shape']))
  data = zlib.decompressobj().decompress(base64.b64decode(value['data']), size + 1)
  require(len(data) == size, 'an array is not of its shape')
  return np.frombuffer(data, np.uint8).reshape(value['shape'])
