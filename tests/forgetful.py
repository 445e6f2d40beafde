"""A disk that forgets, at a power cut, all that was not asked to be put on it: a simulation.

What native code puts on the disk by itself is not seen and counts as forgotten.
"""

import os
import pathlib


class Disk:
  """What of a folder is on the disk: names of folders and contents of files as last synced."""

  def __init__(self, monkeypatch, after=lambda: None):
    """Watches this process; `after` is called at every moment at which the power may go."""
    self._names: dict[int, dict[str, int]] = {}  # By inode of the folder.
    self._contents: dict[int, bytes] = {}  # By inode of the file.
    self._pinned: list[int] = []  # Descriptors, so that no inode is used twice.
    self._after = after
    fsync = os.fsync
    monkeypatch.setattr(os, 'fsync', lambda descriptor: (fsync(descriptor),
                                                         self._synced(descriptor)))
    for name in ('rename', 'replace', 'unlink', 'rmdir', 'mkdir'):
      self._watch(monkeypatch, name)

  def _watch(self, monkeypatch, name):
    change = getattr(os, name)

    def changing(*args, **kwargs):
      change(*args, **kwargs)
      self._after()

    monkeypatch.setattr(os, name, changing)

  def _synced(self, descriptor):
    number = os.fstat(descriptor).st_ino
    self._pinned.append(os.dup(descriptor))
    path = f'/proc/self/fd/{descriptor}'
    if os.path.isdir(path):
      self._names[number] = {name: os.stat(f'{path}/{name}', follow_symlinks=False).st_ino
                             for name in os.listdir(path)}
    else:
      with open(path, 'rb') as file:
        self._contents[number] = file.read()
    self._after()

  def left(self, folder: pathlib.Path, copy: pathlib.Path, removed: bool):
    """Writes into `copy` what of `folder` is left after a power cut.

    Args:
      folder: synced when the watch began, or made since.
      copy: a folder that is not there yet.
      removed: whether names that were removed since their folder was synced are gone already;
        file systems may do either.
    """
    self._leave(folder.stat().st_ino, copy, _present(folder) if removed else None)

  def _leave(self, number, copy, present):
    copy.mkdir()
    for name, inner in self._names.get(number, {}).items():
      if present is not None and inner not in present:
        continue
      if inner in self._contents:
        (copy / name).write_bytes(self._contents[inner])
      elif inner in self._names:
        self._leave(inner, copy / name, present)
      else:  # Its name is on the disk, what it holds is not.
        (copy / name).touch()

  def close(self):
    for descriptor in self._pinned:
      os.close(descriptor)


def _present(folder):
  return {path.lstat().st_ino for path in folder.rglob('*')}
