"""Shows what a trained model does with its memory: a page to step through, a picture, a film.

  python -m experiments.inspect --checkpoint=E_J --task=reverse_recall --html=/tmp/memory.html
  python -m experiments.inspect --checkpoint=/tmp/serial --length=40 --gif=/tmp/memory.gif
"""

import pathlib

from absl import flags

from .shared import cli
from .shared import look
from .shared import output
from .shared import proofs
from .shared import restore
from .shared import stopping
import maes_jax
from maes_jax import errors
from maes_jax import extras
from maes_jax import files
from maes_jax import limits
from maes_jax import recording as recordings
from maes_jax import trained
from maes_jax.training import workdir

_LENGTH = flags.DEFINE_integer('length', 20, 'Items of the sequence.', lower_bound=1)
_MEMORY = flags.DEFINE_integer(
    'memory', None, f'Memory addresses N; default: what the length needs + {look.SPARE}.',
    lower_bound=1)
_SEED = flags.DEFINE_integer('test_seed', 0, 'Seed of the sequence.', lower_bound=0)
_HTML = flags.DEFINE_string('html', None, 'File for a page that steps through the sequence.')
_PNG = flags.DEFINE_string('png', None, 'File for a picture of the whole.')
_PROOF = flags.DEFINE_string(
    'proof', None, 'File of verdicts that certify wrote; the page shows what it says. Default: the '
    'one beside a shipped model.')
_GIF = flags.DEFINE_string('gif', None, 'File for a film.')


def main():
  limits.check(length=_LENGTH.value, test_seed=_SEED.value)
  if _MEMORY.value:
    limits.check(length=_LENGTH.value, memory=_MEMORY.value)
  if not (_HTML.value or _PNG.value or _GIF.value):
    raise errors.UserError('nothing to write: give --html=FILE, --png=FILE or --gif=FILE')
  if _HTML.value:
    extras.need('pages', '--html')
  if _PNG.value or _GIF.value:
    extras.need('figures', 'a picture')
  restored, task = restore.from_flags()
  addresses = _MEMORY.value or task.needs(_LENGTH.value) + look.SPARE
  recording = recordings.record(
      restored.model, restored.params, task, _LENGTH.value, addresses, _SEED.value)
  proof = _proof(restored, task)
  title = look.title(restored, task, _LENGTH.value, flags.FLAGS['checkpoint'].value)
  title += restore.by_solver(task)
  with stopping.unwinding():
    if _HTML.value:
      page = maes_jax.page.render(recording, title, proof)
      workdir.write_text(pathlib.Path(_HTML.value), page)
    if _PNG.value:
      look.draw(recording, task, title, pathlib.Path(_PNG.value))
    if _GIF.value:
      look.film(recording, title, pathlib.Path(_GIF.value))
  output.show(
      f'{title}: {recording.wrong.sum():,} of {recording.units:,} {recording.unit}s wrong')
  for line in proof:
    output.show(line)


def _proof(restored, task):
  """What the page says of all other sequences."""
  folder = trained.find(files.local(flags.FLAGS['checkpoint'].value))
  path = pathlib.Path(_PROOF.value or folder / f'proof-{task.name}.json')
  if not _PROOF.value and (restore.by_solver(task) or not path.exists()):
    return []
  verdict = proofs.of(restored, task, path)
  witness = [f'It errs: {verdict.witness.first_error}.'] if verdict.witness else []
  return [f'On all sequences: {verdict.statement}.', *witness]


program = cli.program(main)  # `maes-inspect` where it is installed.

if __name__ == '__main__':
  program()
