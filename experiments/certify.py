"""Proves that a trained model is right at every length, or finds a sequence that it gets wrong.

  python -m experiments.certify --checkpoint=E_J --task=reverse_recall --json=/tmp/proof.json
  python -m experiments.certify --checkpoint=E_J --check=/tmp/proof.json
  python -m experiments.certify --checkpoint=/tmp/ntm --falsify

Exit status 2: a model is refuted, or open.
"""

import pathlib
import sys

from absl import flags

from .shared import cli
from .shared import output
from .shared import proofs
from .shared import restore
from .shared import stopping
import maes_jax
from maes_jax import errors
from maes_jax.certificates import verdict as verdicts

_JSON = flags.DEFINE_string('json', None, 'File for verdicts and certificates.')
_CHECK = flags.DEFINE_string(
    'check', None, 'File of that kind: what it says is held against the model.')
_FALSIFY = flags.DEFINE_boolean(
    'falsify', False, 'Only search for a sequence that is answered wrong; for any model.')
_EFFORT = flags.DEFINE_integer(
    'effort', 1000, 'Sequences to try at each length where there is no proof; 0: none.',
    lower_bound=0)
_FAILED = 2


def main():
  if _CHECK.value:
    _check_alone()
    found = _check(restore.models())
  else:
    found = _find(*restore.several_from_flags())
  if any(verdict.status != verdicts.CERTIFIED for verdict in found):
    sys.exit(_FAILED)


def _find(restored, task):
  """Looks for proofs, or for sequences answered wrong; gives the verdicts."""
  give = verdicts.falsify_trained if _FALSIFY.value else maes_jax.certify
  found = []
  for trained in restored:
    found.append(give(trained, task, effort=_EFFORT.value))
    output.show(f'{task.name} with {trained.config.model}, model {trained.index}'
                f'{restore.by_solver(task)}: {found[-1].statement}')
  if _JSON.value:
    with stopping.unwinding():
      proofs.write(pathlib.Path(_JSON.value), restored, task, found, flags.FLAGS['solver'].value)
  if len(found) > 1:
    output.show(_summary(found))
  return found


def _summary(found):
  count = lambda status: sum(verdict.status == status for verdict in found)
  return (f'{count(verdicts.CERTIFIED)} of {len(found)} certified, {count(verdicts.REFUTED)} '
          f'refuted, {count(verdicts.OPEN)} open')


def _check_alone():
  for name in ('task', 'solver', 'json', 'falsify', 'effort'):
    if flags.FLAGS[name].present:
      raise errors.UserError('--check goes through the certificates of a file, which say what they '
                             f'are about; leave --{name} out')


def _check(restored):
  """Holds what a file says against the models that it is about; gives the verdicts."""
  by_index = {trained.index: trained for trained in restored}
  about, others = [], []
  for said in proofs.read(pathlib.Path(_CHECK.value)):
    (about if said['model_index'] in by_index else others).append(said)
  if not about:
    raise errors.UserError(f'{_CHECK.value} says nothing about '
                           f'{"these models" if len(by_index) > 1 else "this model"}; make a file '
                           'that does with --json')
  found = [_show_confirmed(by_index[said['model_index']], said) for said in about]
  if others:
    output.show(f'not looked at: {len(others)} more, of other models; give --model_index')
  return found


def _show_confirmed(trained, said):
  """The verdict of a file on a model, if it holds."""
  found = verdicts.confirmed(*restore.asking(trained, said['solver'], said['task']), said)
  holds = {verdicts.CERTIFIED: 'the certificate holds', verdicts.REFUTED: 'it is wrong again',
           verdicts.OPEN: 'there is nothing to check'}[found.status]
  output.show(f'{said["task"]}, model {trained.index}: {holds}; {found.statement}')
  return found


program = cli.program(main)  # `maes-certify` where it is installed.

if __name__ == '__main__':
  program()
