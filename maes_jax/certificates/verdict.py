"""Whether a trained model is right at every length: proved, refuted by a sequence, or open."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from maes_jax import answering
from maes_jax import errors
from maes_jax import limits
from maes_jax import tasks
from maes_jax.cells.maes import Maes
from maes_jax.certificates import checker
from maes_jax.certificates import claims
from maes_jax.certificates import falsify
from maes_jax.certificates import finder
from maes_jax.certificates import seals
from maes_jax.certificates.attention import Imprecise
from maes_jax.certificates.attention import Refused
from maes_jax.certificates.finder import Way
from maes_jax.encoder_solver import Model
from maes_jax.encoder_solver import Params
from maes_jax.trained import Trained

CERTIFIED, REFUTED, OPEN = 'certified', 'refuted', 'open'
ETA = 1e-4  # What single precision needs, and more: see docs/certificates.md.
_RADII = (ETA, 3e-4, 1e-3, 3e-3, .01, .02, .03, .05, .1, .2, .3)
_WAYS = (finder.PLAIN, Way(trail=True), Way((2, 1), trail=True), Way(opening=(True, False)),
         Way((2, 1), trail=True, opening=(True, False)),
         Way((2, 2), trail=True, opening=(True, True), refined=True))


@dataclasses.dataclass(frozen=True)
class Verdict:
  """What is known about a model and a task.

  Attributes:
    status: `certified`, `refuted` or `open`.
    reason: what is too loose, or how many bits of which sequence are wrong; '' where certified.
    certificate: for `checker.check`; None unless certified.
    radius: the largest disturbance tried that does no harm, see `checker`; 0 unless certified.
    witness: a sequence that is answered wrong, the shortest found.
    tried: how many sequences were searched.
  """
  status: str
  reason: str = ''
  certificate: Mapping[str, Any] | None = None
  radius: float = 0.
  witness: falsify.Witness | None = None
  tried: int = 0

  @property
  def statement(self) -> str:
    """All of it in one line."""
    if self.certificate is None:
      return f'{self.status}: {self.reason}'
    times = self.certificate['claim'].get('times', 1)
    again = f'asked about up to {times} times, ' if times > 1 else ''
    return (f'{self.status}: right on every sequence of n items, {again}for every n, in every '
            f'memory of at least {memory(self.certificate)} addresses; logits are right by '
            f'{self.certificate["margin"]:.3g}, and stay right if every number is off by '
            f'{self.radius:g}')

  def to_json(self) -> dict[str, Any]:
    return {'status': self.status, 'reason': self.reason, 'radius': self.radius,
            'tried': self.tried, 'certificate': self.certificate,
            'witness': self.witness and self.witness.to_json()}


def memory(certificate: Mapping[str, Any]) -> str:
  """The fewest addresses that a certificate is for, by n, e.g. `n + 2`."""
  slope, extra = certificate['addresses']
  return f'{"" if slope == 1 else f"{slope} "}n + {extra}'


def certify(trained: Trained, task: tasks.Task | str = '', effort: int = 1000) -> Verdict:
  """Proves that a trained MAES answers a task right at every length, or finds where it does not.

  >>> import maes_jax
  >>> verdict = maes_jax.certify(maes_jax.load('E_J'), 'reverse_recall')
  >>> print(verdict.status, verdict.certificate['addresses'])
  certified [1, 2]

  Args:
    trained: of `maes_jax.load`.
    task: which of its tasks, where it has several: the registered one of that name, or one of
      your own under the name of a solver.
    effort: how many sequences are tried at each length where no proof is found; 0: none.

  Raises:
    UserError: a model that no proof is known for, a task that nothing is claimed about or that
      asks something else than is claimed, one that the model has no solver for, or an effort that
      is no number of sequences.
  """
  limits.check(effort=effort)
  errors.of_type('the model is', trained, Trained, 'what maes_jax.load returns')
  model, params = trained.model, trained.params
  asked = answering.choose(model, task)
  claim = claims.get(asked)
  says, layers = _says(model, asked, claim), of(params, asked.name)
  try:
    certificate, way = prove(layers, says)
  except Refused as reason:
    return _search(model, params, asked, claim, str(reason), effort)
  return Verdict(CERTIFIED, certificate=certificate,
                 radius=_radius(layers, says, way, certificate['eta']))


def check(model: Model, task: tasks.Task):
  """Whether a proof can be looked for.

  Raises:
    UserError: a model that no proof is known for, or a task that nothing is claimed about.
  """
  _says(model, task, claims.get(task))


def still_open(model: Model, params: Params, task: tasks.Task) -> str:
  """Why there is no proof yet that a model is right; '' if there is."""
  try:
    prove(of(params, task.name), _says(model, task, claims.get(task)))
  except Refused as reason:
    return str(reason)
  return ''


def refuted(model: Model, params: Params, task: tasks.Task, effort: int = 1000) -> str:
  """By which sequence a model is wrong, as `certify` says it; '' if none was found."""
  found = _search(model, params, task, claims.get(task), '', effort)
  return found.reason if found.status == REFUTED else ''


def falsify_trained(trained: Trained, task: tasks.Task, effort: int = 1000) -> Verdict:
  """Only searches, whatever the model; see `falsify`.

  Raises:
    UserError: nothing is claimed about the task, the model has no solver for it, or the effort is
      no number of sequences.
  """
  limits.check(effort=effort)
  task = answering.choose(trained.model, task)
  return _search(trained.model, trained.params, task, claims.get(task),
                 'no proof was looked for', effort)


def of(params: Params, task: str) -> dict[str, Any]:
  """The parameters that a certificate is about.

  Raises:
    UserError: some are missing.
  """
  if not {'encoder', 'solvers'} <= params.keys():
    raise errors.UserError(f'a proof is about encoder and solver, and only {", ".join(params)} '
                           'was loaded; leave `only` out to load all of it')
  return {'encoder': params['encoder'], 'solver': params['solvers'][task]}


def prove(params: Mapping[str, Any], says: Mapping[str, Any], eta: float = ETA, ways=_WAYS):
  """A certificate found one way or another, and checked; and the way.

  Raises:
    Refused: none was found.
  """
  reasons = []
  for way in ways:
    try:
      certificate = finder.find(params, says, eta, way)
      checker.check(params, certificate)
      return certificate, way
    except Refused as reason:
      reasons.append(reason)
  larger = [more for more in _RADII if more > eta]
  if larger and any(isinstance(reason, Imprecise) for reason in reasons):
    return prove(params, says, larger[0], ways)
  raise reasons[-1]


def recheck(trained: Trained, certificate: Mapping[str, Any],
            task: tasks.Task | str = '') -> float:
  """Checks a certificate that was read from a file against a model.

  Args:
    trained: of `maes_jax.load`.
    certificate: as it was read.
    task: that it is to be about; by default the registered one that it names.

  Returns:
    The smallest margin.

  Raises:
    UserError: it proves nothing about this model.
  """
  try:
    task = answering.choose(trained.model, task or str(certificate['task'])[:80])
    says = _says(trained.model, task, claims.get(task))
    found = _plain(certificate)
    for name, value in _plain(says).items():
      if found[name] != value:
        raise Refused(f'it says {name} {errors.shortened(certificate[name])}')
    return checker.check(of(trained.params, task.name), certificate)
  except (Refused, KeyError, TypeError, ValueError, IndexError, ArithmeticError) as error:
    known = isinstance(error, Refused | errors.UserError)
    reason = error if known else f'it is damaged: {errors.shortened(error)}'
    raise errors.UserError(f'the certificate proves nothing about this model: {reason}; make one '
                           'with experiments.certify') from error


def _plain(says):
  """The same with arrays as they are: what packs them may pack them in another way elsewhere."""
  arrays = {name: seals.unpacked(says['claim'][name]).tolist() for name in ('right', 'after')}
  return {**says, 'claim': {**says['claim'], **arrays}}


def confirmed(trained: Trained, task: tasks.Task, said: Mapping[str, Any]) -> Verdict:
  """What `Verdict.to_json` gave, held against a model again: its certificate, or its sequence.

  Raises:
    UserError: it does not hold for this model, or says one thing and shows another.
  """
  grounds = {CERTIFIED: said['certificate'], REFUTED: said['witness']}
  shown = [status for status, ground in grounds.items() if ground] or [OPEN]
  if shown != [said['status']]:
    raise errors.UserError(f'a file says {errors.shortened(said["status"])} and has what makes a '
                           f'model {" and ".join(shown)}; make another with experiments.certify')
  if said['status'] == CERTIFIED:
    recheck(trained, said['certificate'], task)
    return Verdict(CERTIFIED, certificate=said['certificate'],
                   radius=_proved_again(trained, task, said['radius']))
  if said['status'] == REFUTED:
    return _refuted(_wrong_again(trained, task, said['witness']), said['tried'])
  return Verdict(OPEN, str(said['reason']), tried=said['tried'])


def _proved_again(trained, task, radius):
  """A radius, if there is a proof with it."""
  try:
    if radius not in _RADII:
      raise Refused('none that is tried')
    claim = claims.get(task)
    prove(of(trained.params, task.name), _says(trained.model, task, claim), radius)
  except Refused as reason:
    raise errors.UserError(f'nothing is proved if every number is off by {errors.shortened(radius)}'
                           f' ({reason}); make another file with experiments.certify') from reason
  return radius


def _wrong_again(trained, task, witness):
  task = answering.choose(trained.model, task)
  claim = claims.get(task)
  falsifier = falsify.Falsifier(trained.model, task, claim)
  try:
    sequence = falsify.witness(witness)
    shape = 1, len(sequence.items[0]), task.items.width
    if shape[1] < task.at_least or any(part.shape != shape for part in sequence):
      raise ValueError(f'at least {task.at_least} words of {task.items.width} bits')
    if sequence.shown.any() and not claim.shown:
      raise ValueError('the task shows no words')
  except (KeyError, TypeError, ValueError, IndexError) as error:
    raise errors.UserError('the sequence that is said to be answered wrong is damaged '
                           f'({errors.shortened(error)}); make another with experiments.certify'
                           ) from error
  found = falsifier.wrong(trained.params, sequence)
  if found is None:
    raise errors.UserError('the sequence that is said to be answered wrong is answered right by '
                           'this model; make another with experiments.certify')
  return found


_SEARCH = 'search for a sequence that it gets wrong instead (--falsify)'


def _says(model: Model, task, claim):
  """What a certificate says of model and task."""
  encoder, solver = model.encoder, model.solvers[task.name]
  for cell in (encoder, solver):
    if type(cell) is not Maes or cell.head != 'shift' or model.embed is not None or model.tied:
      raise errors.UserError(
          f'no proof is known for {type(cell).__name__}'
          f'{" with head " + repr(cell.head) if isinstance(cell, Maes) else ""}; it is for MAES '
          f"whose head is 'shift'; {_SEARCH}")
    if cell.blind or cell.overwrite:
      raise errors.UserError('no proof is known for a cell with '
                             f'{"blind" if cell.blind else "overwrite"}; {_SEARCH}')
  if (encoder.line3, encoder.add_activation) != (solver.line3, solver.add_activation):
    raise errors.UserError('encoder and solver differ in line3 or add_activation; no proof is '
                           'known for that')
  if task.control_bits < 2:
    raise errors.UserError(f'task {task.name!r} has one control bit a sequence, so that encoder '
                           'and solver of a MAES read the same marker; no proof is known for that')
  return {'task': task.name, 'claim': claim.packed(task.items.width),
          'form': {'control_bits': task.control_bits, 'bits': task.items.width,
                   'width': encoder.width, 'line3': encoder.line3,
                   'add_activation': encoder.add_activation}}


def _search(model, params, task, claim, reason, effort):
  if not effort:
    return Verdict(OPEN, reason)
  found = falsify.Falsifier(model, task, claim).search(params, effort)
  if found.witness is None:
    tried = (f'right on all of {found.tried:,} sequences tried' if found.tried else
             f'no sequence was tried, as of up to {falsify.LENGTHS[-1]:,} items none has an answer '
             'that always counts')
    return Verdict(OPEN, f'{reason}; {tried}', tried=found.tried)
  return _refuted(found.witness, found.tried)


def _refuted(witness, tried):
  wrong, items = int(witness.wrong.sum()), len(witness.items)
  reason = (f'{wrong} {"bit is" if wrong == 1 else "bits are"} wrong of a sequence of {items} '
            f'item{"" if items == 1 else "s"}')
  return Verdict(REFUTED, reason, witness=witness, tried=tried)


def _radius(params, says, way, eta) -> float:
  """The largest of `_RADII` with which a proof is found: above `eta` about log2 are tried."""
  proved, refused = _RADII.index(eta), len(_RADII)
  while refused - proved > 1:
    middle = (proved + refused) // 2
    try:
      finder.find(params, says, _RADII[middle], way)
      proved = middle
    except Refused:
      refused = middle
  return _RADII[proved]
