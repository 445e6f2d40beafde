"""Files that are whole or not there."""

import hashlib
import os
import pathlib


def write_atomically(path: pathlib.Path, text: str):
  """Writes a whole file or nothing."""
  temporary = path.with_name(path.name + '.tmp')
  try:
    with temporary.open('w', encoding='utf-8') as file:
      file.write(text)
      file.flush()
      os.fsync(file.fileno())
    temporary.replace(path)
  except BaseException:
    temporary.unlink(missing_ok=True)
    raise


def digest(path: pathlib.Path) -> str:
  """What tells this content from any other."""
  return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
