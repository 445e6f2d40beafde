"""RELIABILITY.md from the records in results/reliability/."""

import argparse
from collections.abc import Iterable, Sequence
import json
import pathlib
from typing import Any

from experiments.shared import records
from maes_jax.training import workdir
from tests.reliability import damage
from tests.reliability import hostile
from tests.reliability import moved
from tests.reliability import outputs
from tests.reliability import soak
from tests.reliability import stray

# Unlucky and hostile surroundings by the name of their record: modules with a `HEAD` and a `table`.
KINDS = {'moved': moved, 'hostile': hostile, 'stray': stray, 'outputs': outputs}
FLAT = 0.02  # A process whose memory grew by less than this share over its run is flat.

_HEAD = '''# How reliable it is

What was done to running programs and to their files, and what came of it. Written by `make crash`
and `make fuzz` from the records in [`results/reliability/`](results/reliability); short forms of
both run in `make test`.
'''
_CRASH = '''## Killed at random moments

Each run was killed by SIGKILL again and again, while it started, in the middle of a save and at any
other moment, asked to stop by SIGTERM once, and started again by the same command until it was
done. Parameters, optimizer state, metrics.jsonl, TensorBoard scalars and records were then
compared, bit for bit, with those of the same run left alone.
'''
_SIGNALS = '''## Asked to stop at random moments

Training runs, new ones and ones taken up again, were sent SIGINT or SIGTERM once, from 0.3 seconds
after their launch on. *Before training*: while modules were imported, a checkpoint was read or
programs were compiled. *Lost*: the run went on for 20 seconds. Each should end in a line, with
status 1.
'''
_DAMAGE = '''## Damaged files

Every file of a run, damaged in every way; then the same command again. *Older step*: a line names
the file, and the run goes on from the checkpoint before it. *Refused*: a line says which file and
what to do. *Harmless*: what was restored is what was saved, bit for bit.
'''
_SOAK = '''## A long run
'''
_FUZZ = '''## Odd input in bulk

Every input ended in success or in one line that says what is wrong; no traceback, no hang, no
half-written file.
'''


def options(about: str, **counts: tuple[int, str]) -> argparse.Namespace:
  """What the command line says: how many of what (default, help), where records are and go."""
  parser = argparse.ArgumentParser(
      description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
  for name, (default, text) in counts.items():
    parser.add_argument(f'--{name}', type=int, default=default, help=text)
  for name, place, text in (('results', 'results/reliability', 'Folder of the records.'),
                            ('output', 'RELIABILITY.md', 'File to write.')):
    parser.add_argument(f'--{name}', type=pathlib.Path, default=pathlib.Path(place), help=text)
  return parser.parse_args()


def write(results: pathlib.Path, name: str, found: Any):
  """Keeps what a test found, with the machine and the versions it ran on."""
  record = {'machine': records.machine(), 'versions': records.versions(), 'found': found}
  workdir.write_result(results / f'{name}.json', record)


def broken(results: pathlib.Path) -> bool:
  """Whether a record in the folder tells of a broken promise."""
  runs, files = _found(results, 'crash') or [], _found(results, 'damage') or []
  asked = _found(results, 'signals') or {}
  rows = [row for name in KINDS for row in _found(results, name) or []]
  return (any(run['differences'] for run in runs) or any(row['broken'] for row in rows)
          or any(damage.DIFFERENT in row.values() for row in files)
          or any(asked.get(column) for column in ('lost', 'tracebacks', 'wrong_statuses')))


def render(results: pathlib.Path) -> str:
  """The document; a part that was never measured is left out."""
  parts = {'crash': (_CRASH, _crash), 'signals': (_SIGNALS, _signals),
           'damage': (_DAMAGE, _damage), 'soak': (_SOAK, _soak),
           **{name: (kind.HEAD, _tally) for name, kind in KINDS.items()},
           'fuzz': (_FUZZ, _fuzz)}
  text = [_HEAD]
  for name, (head, describe) in parts.items():
    if found := _found(results, name):
      text += [head, describe(found), _where(results, name)]
  return '\n'.join(text)


def _found(results, name):
  path = results / f'{name}.json'
  return json.loads(path.read_text())['found'] if path.exists() else None


def _where(results, name) -> str:
  record = json.loads((results / f'{name}.json').read_text())
  versions = ', '.join(f'{package} {version}' for package, version in record['versions'].items())
  return f'*{record["machine"]}; {versions}.*\n'


def _crash(runs) -> str:
  columns = ('run', 'kills', 'during_a_save', 'before_the_first_save', 'stopped_in_seconds')
  rows = [[*(run[column] for column in columns), ', '.join(run['differences']) or 'none']
          for run in runs]
  total = (f'**{sum(run["kills"] for run in runs)} kills in {len(runs)} runs, '
           f'{sum(len(run["differences"]) for run in runs)} differences.**\n')
  titles = ('run', 'kills', 'of these in a save', 'before the first save',
            'seconds to stop when asked', 'differences')
  return '\n'.join([total, _table(titles, rows)])


def _signals(found) -> str:
  titles = ('signals', 'of these before training', 'lost', 'tracebacks', 'wrong statuses',
            'longest seconds to stop')
  return _table(titles, [found.values()])


def _damage(files) -> str:
  titles = ('file', *damage.DAMAGES)
  by_file: dict[str, list[dict]] = {}
  for row in files:
    by_file.setdefault(row['file'], []).append(row)
  rows = [[f'`{name}`', *(' or '.join(sorted({row[kind] for row in same})) for kind in titles[1:])]
          for name, same in by_file.items()]
  return _table(titles, rows)


def _soak(found) -> str:
  samples = soak.trained(found['samples'])
  grown, last = soak.growth(samples), samples[-1][1]
  verdict = 'flat' if grown < FLAT * last else 'not flat'
  finite = 'every number logged is finite' if found['finite'] else 'some numbers are not finite'
  return (f'{found["iterations"]:,} iterations of one process: its memory is {verdict}, '
          f'{samples[0][1]:.0f} MiB after {samples[0][0]:,} iterations and {last:.0f} MiB at the '
          f'end, {grown:+.1f} MiB from the second quarter to the second half; {finite}, '
          f'{found["skipped"]} updates were skipped.\n')


def _tally(kinds) -> str:
  rows = [[kind['what'], _tried(kind), kind['done'], kind['refused'],
           '; '.join(kind['broken']) or 'none'] for kind in kinds]
  total = f'**{sum(map(_tried, kinds)):,} tries, {sum(len(k["broken"]) for k in kinds)} broken.**\n'
  return '\n'.join([total, _table(
      ('what happens', 'tried', 'done', 'refused in a line', 'promises broken'), rows)])


def _tried(kind) -> int:
  return kind['done'] + kind['refused'] + len(kind['broken'])


def _fuzz(kinds) -> str:
  rows = [[kind['what'], kind['accepted'] + kind['refused'], kind['accepted'], kind['refused']]
          for kind in kinds]
  total = f'**{sum(row[1] for row in rows):,} inputs.**\n'
  return '\n'.join([total, _table(('input', 'tried', 'accepted', 'refused in a line'), rows)])


def _table(titles: Sequence[str], rows: Iterable[Sequence]) -> str:
  lines = [titles, ['---'] * len(titles), *rows]
  return '\n'.join(f'| {" | ".join(map(str, line))} |' for line in lines) + '\n'
