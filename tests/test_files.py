"""A file is the old one or the new one, whatever happens in between and whatever stands there."""

import errno
import os
import pathlib
import threading

import pytest

from maes_jax import errors
from maes_jax import files


def contents(folder):
  return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def pipe(tmp_path):
  """A FIFO and what a reader at its other end got."""
  path, got = tmp_path / 'pipe', []
  os.mkfifo(path)
  reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
  reader.start()
  yield path, lambda: reader.join(5) or got
  reader.join(5)


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


def test_any_name_that_the_disk_takes(tmp_path):
  name = 'x' * 255
  files.write_atomically(tmp_path / name, 'text')
  assert contents(tmp_path) == {name: 'text'}


class TestWhatStandsThere:

  def test_a_pipe_gets_it_and_stays(self, pipe):
    path, got = pipe
    files.write_atomically(path, b'\xff text')
    assert got() == [b'\xff text']
    assert path.is_fifo()

  def test_a_device_stays(self):
    files.write_atomically(pathlib.Path('/dev/null'), 'text')
    assert pathlib.Path('/dev/null').is_char_device()

  def test_a_full_device_says_so(self):
    with pytest.raises(OSError, match='No space left'):
      files.write_atomically(pathlib.Path('/dev/full'), 'text')

  def test_the_terminal_or_the_file_that_stands_for_it(self, tmp_path):
    """`--json=/dev/stdout > file`: what was printed before stays, and so does the file."""
    out = tmp_path / 'out'
    with out.open('w') as file:
      file.write('printed\n')
      file.flush()
      files.write_atomically(pathlib.Path(f'/dev/fd/{file.fileno()}'), 'text')
    assert contents(tmp_path) == {'out': 'printed\ntext'}

  @pytest.mark.parametrize('there', [True, False])
  def test_a_link_stays_and_what_it_names_is_written(self, tmp_path, there):
    (tmp_path / 'folder').mkdir()
    target, link = tmp_path / 'folder' / 'target', tmp_path / 'link'
    link.symlink_to(target)
    if there:
      target.write_text('old')
    files.write_atomically(link, 'new')
    assert link.is_symlink()
    assert contents(tmp_path / 'folder') == {'target': 'new'}

  def test_a_folder_is_an_error(self, tmp_path):
    with pytest.raises(IsADirectoryError):
      files.write_atomically(tmp_path, 'text')
    assert contents(tmp_path.parent / tmp_path.name) == {}

  def test_links_that_go_round_are_an_error(self, tmp_path):
    (tmp_path / 'a').symlink_to(tmp_path / 'b')
    (tmp_path / 'b').symlink_to(tmp_path / 'a')
    with pytest.raises(OSError, match='symbolic links'):
      files.write_atomically(tmp_path / 'a', 'text')

  def test_a_link_planted_under_the_temporary_name_is_not_followed(self, tmp_path, monkeypatch):
    """Even one that was guessed."""
    monkeypatch.setattr(files.secrets, 'token_hex', lambda size: '0' * 2 * size)
    (tmp_path / 'victim').write_text('mine')
    (tmp_path / f'.file.{"0" * 16}.tmp').symlink_to(tmp_path / 'victim')
    with pytest.raises(FileExistsError):
      files.write_atomically(tmp_path / 'file', 'text')
    assert (tmp_path / 'victim').read_text() == 'mine'

  def test_temporary_names_differ(self, tmp_path, monkeypatch):
    names, create = [], files._create
    monkeypatch.setattr(files, '_create', lambda path: names.append(path) or create(path))
    for _ in range(5):
      files.write_atomically(tmp_path / 'file', 'text')
    assert len(set(names)) == 5
    assert {path.parent for path in names} == {tmp_path}


@pytest.mark.parametrize('umask, mode', [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_of_a_new_file_are_what_the_umask_gives(tmp_path, umask, mode):
  before = os.umask(umask)
  try:
    files.write_atomically(tmp_path / 'file', 'text')
  finally:
    os.umask(before)
  assert (tmp_path / 'file').stat().st_mode & 0o777 == mode


def test_permissions_of_a_file_that_is_there_stay(tmp_path):
  """Who closed a file to others does not find it open."""
  (tmp_path / 'file').touch(0o600)
  files.write_atomically(tmp_path / 'file', 'text')
  assert (tmp_path / 'file').stat().st_mode & 0o777 == 0o600


def test_digests_tell_contents_apart(tmp_path):
  one, same, other = (tmp_path / name for name in 'abc')
  for path, text in ((one, 'x'), (same, 'x'), (other, 'y')):
    path.write_text(text)
  assert files.digest(one) == files.digest(same) != files.digest(other)


class TestPaths:

  def test_home(self, monkeypatch):
    monkeypatch.setenv('HOME', '/home/somebody')
    assert files.local('~/runs') == pathlib.Path('/home/somebody/runs')
    assert files.local(pathlib.Path('~/runs')) == pathlib.Path('/home/somebody/runs')

  @pytest.mark.parametrize('path', ['runs', '/a/b', './a:b/c', 'a:b', '', 'C:/runs', 'x y/~'])
  def test_of_this_machine(self, path):
    assert files.local(path) == pathlib.Path(path)

  @pytest.mark.parametrize('path', [
      'gs://bucket/run', 's3://bucket/run', 'hdfs://a', 'https://a/b', 'file:///tmp/x',
      pathlib.Path('gs://bucket/run')], ids=str)
  def test_of_another(self, path):
    with pytest.raises(errors.UserError, match='no path of this machine: mount the bucket'):
      files.local(path)


class TestReading:

  @pytest.mark.parametrize('path', ['/dev/zero', '/dev/null'])
  def test_a_device_is_an_error(self, path):
    for read in (files.digest, files.read_json):
      with pytest.raises(OSError, match='no regular file'):
        read(pathlib.Path(path))

  def test_a_pipe_that_nobody_writes_to_is_an_error(self, tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(OSError, match='no regular file'):
      files.digest(tmp_path / 'pipe')

  def test_deep_nesting_is_no_json(self):
    with pytest.raises(ValueError, match='nested too deeply'):
      files.parse_json('[' * 200_000)

  def test_no_more_is_read_than_asked_for(self, tmp_path):
    path = tmp_path / 'file'
    path.write_text('"four"')
    os.truncate(path, 2**40)  # Takes no room on the disk, but would in memory.
    with pytest.raises(ValueError, match='larger than 100 bytes'):
      files.read_json(path, 100)

  def test_a_tree_with_anything_but_files_is_an_error(self, tmp_path):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'file').touch()
    assert files.regular_files(tmp_path) == [tmp_path / 'folder' / 'file']
    (tmp_path / 'link').symlink_to(tmp_path / 'folder')
    with pytest.raises(ValueError, match='link is no regular file'):
      files.regular_files(tmp_path)
