"""The claim ledger: every number of the paper beside ours, as Markdown, from the records alone."""

import collections
import pathlib

from . import claims
from . import plots
from . import published
from . import runs
from ..shared import markdown
from ..shared import proofs
from ..shared import records
from maes_jax import errors
from maes_jax import models
from maes_jax import tasks
from maes_jax import trained
from maes_jax.certificates import verdict as verdicts

_PAPER = ('T. S. Jayram, Tomasz Kornuta, Ryan L. McAvoy and Ahmet S. Ozcan, [*Using Multi-task and '
          'Transfer Learning to Solve Working Memory Tasks*](https://arxiv.org/abs/1809.10847), '
          '2018, arXiv:1809.10847')
_BASELINES_SAY = (
    'A baseline converges when its loss on 64 validation sequences of length 21 is at most 1e-5.\n'
    'The paper reports the best of ten; so does the verdict. The best is the one most right on '
    'sequences\nof length 100, which no test sees; of equals the one trained for the fewest '
    "iterations. It is judged\nin N = 2 L + 2 addresses, as the code of the paper's group tests "
    '(IBM/mi-prometheus);\nN = 1,024 stands beside it. *Protocol*: the phase bit tells one cell '
    'when an answer is due, as that\ncode does; what was trained without is shown and not judged. '
    'In brackets: a 95 % interval in which\neach sequence counts once. *Budget*: seeds and '
    'iterations.')
_MARKS = ('<!-- measured -->\n', '<!-- /measured -->\n')


_HEAD = f'''# Results

The paper is {_PAPER}.

Written by `python -m experiments.ledger` from the records in `results/`; do not edit.
*E_S*, *E_R* and *E_J* are encoders trained on Serial Recall, on Reverse Recall and on both
jointly; *E_J-odd_recall* is a fresh solver for Odd Recall on E_J, frozen; others alike.
A run *converges* at the first 100-iteration mean of its training loss at or under 1e-5.
A seed of MAES *succeeds* if it converges and then has every bit of 3,200 sequences of length
1000 right, in a memory of 1024 addresses. Figures are median [min–max] over the seeds.
Verdicts: where the paper says in how many iterations, *better* and *reproduced* need 9 of 10
seeds and a median of at most 0.9 and 1.1 times as many. Other claims are held to what they say;
the last one, which the paper does not make, to half of the seeds.
'''


def render(results: pathlib.Path, checkpoints: pathlib.Path) -> str:
  """RESULTS.md from the records in `results` and the proofs in `checkpoints`; the same give the
  same bytes."""
  found = _found(results)
  return '\n'.join([
      _HEAD, *_claims(found), *_proofs(checkpoints), *_proved_seeds(results),
      *_tested_seeds(results), *_baselines(found), *_parameters(), *_figures(results),
      *_seeds(found), *_made(found), ''])


def into_readme(readme: pathlib.Path, results: pathlib.Path) -> str:
  """The README with its table of results brought up to date.

  Raises:
    UserError: there is none, or it has no such table.
  """
  try:
    before, rest = readme.read_text().split(_MARKS[0])
    _, after = rest.split(_MARKS[1])
  except (OSError, ValueError) as error:
    marks = ' and '.join(mark.strip() for mark in _MARKS)
    raise errors.UserError(f'{readme} has no table between {marks} to renew; give --readme=FILE, '
                           'or an empty one for none') from error
  lines = '\n'.join(_summary(_found(results)))
  return f'{before}{_MARKS[0]}{lines}\n{_MARKS[1]}{after}'


def _found(results):
  return _read(results, [name for name, run in runs.RUNS.items() if not run.population])


def _read(results, names):
  found = {name: claims.read(results, name) for name in names}
  return {name: record for name, record in found.items() if record is not None}


def _summary(found):
  return markdown.table(
      'run | seeds that succeed | iterations, median [min–max] | bits right at length 1000',
      [(name, *claims.outcome(found[name]))
       for name in (*published.ENCODERS, *published.JOINT) if name in found])


def _section(title, text, columns, rows):
  """A title, perhaps a text, and a table."""
  return [f'## {title}', '', *([text, ''] if text else []), *markdown.table(columns, rows), '']


def _claims(found):
  return _section(
      'The paper, claim by claim', '',
      'section | claim | paper | measured, `short_first` | verdict | measured, `plain` | verdict',
      [(claim.section, claim.says, claim.paper, *claim.judge(found), *claim.judge(found, 'plain/'))
       for claim in published.CLAIMS])


def _baselines(found):
  def row(claim):
    text, verdict = claim.judge(found)
    name, = claim.runs
    return (claim.section, claim.says, claim.paper, text, _protocol(found, name),
            _budget(found, name), verdict)
  return _section(
      'Table 2, right-hand side: the baselines', _BASELINES_SAY,
      'model | task | paper: best | measured | protocol | budget | verdict',
      map(row, published.BASELINES))


def _protocol(found, name):
  """How a baseline was trained and chosen, in words."""
  if name not in found:
    return ''
  config = found[name]['config']
  if not claims.published(found[name]):
    return f'earlier: no phase bit, N = {config["memory"]}, the first to converge'
  ring = {'whole': f'N = {config["memory"]}', 'double': 'N = 2 L + 2',
          'drawn': f'N drawn from L + 2 to {config["memory"]}'}[config['ring']]
  rate, today = config['learning_rate'], runs.RUNS[name].config(seeds=1).learning_rate
  changed = f' (the recipe has {today:g} now)' if rate != today else ''
  return f'phase bit, {ring}, learning rate {rate:g}{changed}, the best at length 100'


def _proofs(checkpoints):
  """Verdicts on the shipped models, from the files beside them."""
  return _section(
      'Proved at every length',
      'The shipped models. *Certified*: right on every sequence of n items, for every n, in every\n'
      'memory of at least so many addresses, by that margin of the logits, and still right if\n'
      'every number of every step is off by *η* ([docs/certificates.md](docs/certificates.md)).\n'
      'The certificates lie beside the models, `checkpoints/NAME/proof-TASK.json`.',
      'model | task | verdict | memory | margin | η',
      map(_proof, sorted(checkpoints.glob('*/proof-*.json'))))


def _proof(path):
  """The row of a file with the verdict on one shipped model, which it is held against."""
  try:
    (said,) = proofs.read(path)
  except ValueError as error:
    raise errors.UserError(f'{path} is damaged ({error}); make it again by experiments.ship or '
                           'take it from a copy') from error
  model = trained.load(path.parent, said['model_index'])
  found = verdicts.confirmed(model, tasks.get(said['task']), said)
  row = path.parent.name, said['task']
  if found.certificate is None:
    return *row, f'**{found.status}**: {found.reason}', '', '', ''
  return (*row, found.status, verdicts.memory(found.certificate),
          f'{found.certificate["margin"]:.2f}', f'{found.radius:g}')


def _proved_seeds(results):
  """How many of many new seeds are proved right, and what is known about the others."""
  by_part = _by_part(results, [name for name, run in runs.RUNS.items() if run.is_proved])
  if not by_part:
    return []
  return _section(
      'Proved at every length, seed by seed',
      'New seeds, none left out. *E_J-TASK*: 5 solvers on each of 20 encoders, which were drawn at '
      'random\nfrom the E_J above that converged, and frozen. The recipe of Sequence '
      'Comparison and\nthe first lengths of Odd Recall were chosen on other seeds of solvers, on '
      'encoders of before, the rate\nof Recall and the recipe of Equality on other seeds, on '
      'others of these encoders, that of E_R on other\nseeds.',
      'trained | task | certified | converged | iterations, median [min–max] | the others',
      [row for part, seeds in by_part.items() for row in _proved_rows(part, seeds)])


def _tested_seeds(results):
  """The same of what no proof is known for: how many are right on all test sequences."""
  parts = _by_part(results, [name for name, run in runs.RUNS.items()
                             if run.population and not run.is_proved])
  if not parts:
    return []
  return _section(
      'Right at length 1000, seed by seed',
      'The same for Equality, of which no model is proved right: 5 solvers on each of those '
      'encoders,\ntested on sequences of the paper, which are equal or differ everywhere.',
      'trained | right on all sequences | converged | iterations, median [min–max] | '
      'bits right at length 1000, median [min–max]',
      [_tested_row(part, {'seeds': seeds}) for part, seeds in parts.items()])


def _tested_row(part, record):
  succeed, took, right = claims.outcome(record)
  return part, succeed, str(len(claims.converged(record))), took, right


def _by_part(results, names):
  """The seeds of populations, all encoders of one kind together; says where some have no record."""
  every = collections.Counter(map(_part, names))
  found = _read(results, names)
  there = collections.Counter(map(_part, found))
  seeds: dict[str, list] = {}
  for name, record in found.items():
    part = _part(name)
    some = '' if there[part] == every[part] else f', {there[part]} of {every[part]} runs'
    seeds.setdefault(part + some, []).extend(record['seeds'])
  return seeds


def _part(name):
  return name.split('/')[1]


def _proved_rows(part, seeds):
  for task in seeds[0]['still_open']:
    reasons = collections.Counter(_why(seed, task) for seed in seeds)
    certified = reasons.pop('', 0)
    done = sorted(seed['converged'] for seed in seeds if seed['converged'] is not None)
    yield (part, task, f'{certified} of {len(seeds)}', str(len(done)), claims.span(done),
           '; '.join(f'{count} × {reason}' for reason, count in reasons.most_common()))


def _why(seed, task):
  """It is not proved; '' where it is. By how much what is wrong differs from seed to seed."""
  if seed.get('refuted', {}).get(task):
    return 'refuted: wrong on a sequence that a search found'
  reason = seed['still_open'][task].split(', by ')[0]
  return reason and f'open: {reason}'


def _budget(found, name):
  if name not in found:
    return ''
  config = found[name]['config']
  return (f'{config["seeds"]} × {config["max_iterations"]:,} iterations of batch '
          f'{config["batch_size"]}')


def _parameters():
  """Section 4.1: fewer than 2,000 parameters, whatever the memory size."""
  counts = {task: models.count_parameters(runs.RUNS[f'E_J-{task}'].config(seeds=1))
            for task in runs.TASKS}
  return _section('Parameters of each model',
                  'The paper: fewer than 2,000, independent of the memory size.',
                  'task | parameters', [(task, f'{count:,}') for task, count in counts.items()])


def _figures(results):
  yield from ['## Figures', '']
  for name in plots.FIGURES:
    if (results / 'figures' / f'{name}.png').exists():
      yield from [f'![{name}]({results.name}/figures/{name}.png)', '']


def _seeds(found):
  return _section(
      'Every seed', 'Iterations to convergence by seed; a failed seed shows its last loss and, '
      'after the slash, its share of right bits at length 1000; a seed of a baseline with the '
      'phase\nbit shows its shares in 2 L + 2 and in 1,024 addresses.', 'run | seeds',
      [(name, ', '.join(map(_seed, record['seeds']))) for name, record in found.items()])


def _seed(seed):
  start = f'loss {seed["loss"]:.1g}' if seed['converged'] is None else f'{seed["converged"]:,}'
  if 'choice' in seed:
    tests = [claims.at(seed, memory) for memory in (claims.DOUBLE, '')]
    shares = [test['bits_right'] / test['bits'] for test in tests]
    done = f'{start} / {shares[0]:.2%} / {shares[1]:.2%}'
    return done if seed['converged'] is not None and shares == [1, 1] else f'**{done}**'
  right = claims.share_right(seed)
  return start if claims.succeeded(seed) else f'**{start} / {right:.2%}**'


def _made(found):
  tables = runs.select(['table1', 'section4_3', 'table2_maes'])
  seconds = [found[run.name]['seconds'] for run in tables if run.name in found]
  ours = [each for each in seconds if each is not None]
  others = f', of {len(seconds)}: the others in parts' if len(ours) < len(seconds) else ''
  return [*_section(
      'How these were made', f'The {len(ours)} runs of MAES with the recipe `short_first` took '
      f'{sum(ours) / 60:.0f} minutes in all, added up{others}; `--jobs=2` runs two at a time.',
      'run | batch | most iterations | seconds to train | seconds in all | machine',
      [(run, str(record['config']['batch_size']), f'{record["config"]["max_iterations"]:,}',
        *('in parts' if record[name] is None else f'{record[name]:,}'
          for name in ('train_seconds', 'seconds')), record['machine'])
       for run, record in found.items()]), *records.versions_in(found.values())]
