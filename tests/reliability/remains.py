"""What a run leaves behind, and whether two runs left the same."""

import json
import os
import pathlib
import struct

from tensorboardX.proto import event_pb2

from maes_jax import checkpoints
from maes_jax.training.workdir import Workdir

CLOCKS = {'seconds', 'train_seconds'}  # Keys of a record that two runs need not share.


def differences(one: pathlib.Path, other: pathlib.Path) -> list[str]:
  """Names of what differs between two folders of runs, down to the bit; clocks do not count."""
  left, right = _everything(one), _everything(other)
  return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def step(folder: pathlib.Path) -> int:
  """How far the runs in a folder are: the sum of their newest steps."""
  return sum(max(checkpoints.steps(path), default=0) for path in _checkpoints(folder))


def unfinished(folder: pathlib.Path) -> bool:
  """Whether a save was going on when the runs in a folder were killed."""
  return any('.saving' in name
             for path in _checkpoints(folder) for name in os.listdir(path))


def _checkpoints(folder):
  """Folders of checkpoints; what is in them comes and goes while a run is looked at."""
  for path, names, _ in os.walk(folder):
    if 'checkpoints' in names:
      names.remove('checkpoints')
      yield pathlib.Path(path) / 'checkpoints'


def _everything(folder):
  """Name -> content of all that a run is compared by."""
  found = {}
  for path in folder.rglob('config.json'):
    workdir = Workdir(path.parent)
    name = str(path.parent.relative_to(folder))
    found[f'{name}: state'] = checkpoints.saved_digests(workdir.checkpoints)
    found[f'{name}: metrics.jsonl'] = workdir.metrics.read_bytes()
    for board in {path.parent for path in workdir.tensorboard.rglob('events.*')}:
      found[f'{name}: {board.name}'] = shown(board)
  for path in folder.glob('results/**/*.json'):
    record = json.loads(path.read_text())
    found[f'record {path.stem}'] = {key: record[key] for key in record.keys() - CLOCKS}
  found['half-written files'] = [
      str(path) for path in folder.rglob('*') if path.name.endswith(('.tmp', '.saving', '-tmp'))]
  return found


def shown(folder: pathlib.Path) -> dict[tuple[str, int], float | bytes]:
  """Number or picture by (name, step), as TensorBoard shows them: later files hide older steps."""
  values: dict[tuple[str, int], float | bytes] = {}
  for path in sorted(folder.glob('events.*')):  # By name, which begins with the time.
    for event in _events(path.read_bytes()):
      if event.session_log.status == event_pb2.SessionLog.START:
        values = {key: value for key, value in values.items() if key[1] < event.step}
      for value in event.summary.value:
        picture = value.image.encoded_image_string if value.HasField('image') else None
        values[value.tag, event.step] = picture or value.simple_value
  return values


def _events(content):
  """The whole events of a file: length, its checksum, event, its checksum."""
  start = 0
  while start + 12 <= len(content):
    (size,) = struct.unpack_from('<Q', content, start)
    if start + 12 + size + 4 > len(content):
      return
    yield event_pb2.Event.FromString(content[start + 12:start + 12 + size])
    start += 12 + size + 4
