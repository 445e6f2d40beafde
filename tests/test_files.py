"""A file is the old one or the new one, whatever happens in between."""

import errno

import pytest

from maes_jax import files


def contents(folder):
  return {path.name: path.read_text() for path in folder.iterdir()}


def test_replaces_and_leaves_nothing_behind(tmp_path):
  for text in ('one', 'two'):
    files.write_atomically(tmp_path / 'file', text)
    assert contents(tmp_path) == {'file': text}


@pytest.mark.parametrize('trouble', [
    OSError(errno.ENOSPC, 'No space left on device'), KeyboardInterrupt()], ids=repr)
def test_keeps_the_old_file_when_writing_fails(tmp_path, monkeypatch, trouble):
  files.write_atomically(tmp_path / 'file', 'old')

  def fail(unused_descriptor):
    raise trouble

  monkeypatch.setattr(files.os, 'fsync', fail)
  with pytest.raises(type(trouble)):
    files.write_atomically(tmp_path / 'file', 'new')
  assert contents(tmp_path) == {'file': 'old'}


def test_digests_tell_contents_apart(tmp_path):
  one, same, other = (tmp_path / name for name in 'abc')
  for path, text in ((one, 'x'), (same, 'x'), (other, 'y')):
    path.write_text(text)
  assert files.digest(one) == files.digest(same) != files.digest(other)
