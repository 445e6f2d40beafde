"""One run of the matrix from start to record: train, test every seed, look at the encoder."""

import dataclasses
import functools
import pathlib
import time

import jax

from . import claims
from . import runs
from ..shared import outcomes
from ..shared import records
from maes_jax import checkpoints
from maes_jax import compilation
from maes_jax import diagnostics
from maes_jax import encoder_solver
from maes_jax import errors
from maes_jax import evaluation
from maes_jax import limits
from maes_jax import models
from maes_jax import tasks
from maes_jax import trained
from maes_jax.certificates import verdict
from maes_jax.training import loop
from maes_jax.training import metrics
from maes_jax.training import run as training
from maes_jax.training.trainer import NEVER
from maes_jax.training.workdir import Workdir

LENGTHS = (20, 64, 100, 200, 300, 500, 700, 1000)
# Whom a population's best is chosen by: sequences of this length in as many addresses, those that
# both tests at length 1000 have room for. Seeds of tests are 0: no sequence is in both.
CHOICE_LENGTH, CHOICE_MEMORIES, CHOICE_SEED = 100, (128, 202), 1


@dataclasses.dataclass(frozen=True)
class Settings:
  """How much of everything; None for what the budget of the run says."""
  workdir: pathlib.Path
  results: pathlib.Path
  seeds: int = 10
  length: int = claims.LENGTH
  memory: int = claims.MEMORY
  batches: int | None = None
  max_iterations: int | None = None
  save_seconds: float = loop.SAVE_SECONDS

  def __post_init__(self):
    limits.check(seeds=self.seeds, length=self.length, memory=self.memory)
    if self.batches is not None:
      limits.check(batches=self.batches)


def execute(run: runs.Run, settings: Settings):
  """Trains and tests a run, unless its record is there already; goes on where it was cut off."""
  encoder = str(settings.workdir / run.encoder) if run.encoder else None
  config = run.config(settings.seeds, settings.max_iterations, encoder)
  if done(run, settings):
    return
  testers = _testers(run, config, settings)  # Before hours of training.
  start = time.monotonic()
  workdir = Workdir(settings.workdir / run.name)
  begun = bool(checkpoints.steps(workdir.checkpoints))  # Then nobody knows how long it took.
  state = jax.device_get(
      training.train(config, workdir.path, save_seconds=settings.save_seconds))
  trained_in = time.monotonic() - start
  seeds = (_proved(config, state) if run.is_proved else
           _seeds(run, state, metrics.read(workdir.metrics), testers, settings))
  records.write(settings.results, run.name, config, seeds,
                encoder=run.encoder, train_seconds=None if begun else round(trained_in, 1),
                seconds=None if begun else round(time.monotonic() - start, 1))


def check(run: runs.Run, settings: Settings):
  """Raises, before hours of training, what would make a run, its tests or its record impossible."""
  _testers(run, run.config(settings.seeds, settings.max_iterations), settings)
  _check_not_less(run, settings)
  if run.encoder and done(runs.RUNS[run.encoder], settings):
    _check_encoder(run, settings)


def _check_encoder(run, settings):
  """The run that the encoder comes from is there, and the one that its record is of."""
  folder = settings.workdir / run.encoder
  takes = f'{run.name} takes over {run.encoder}, of which there is a record in {settings.results}'
  if not folder.exists():
    raise errors.UserError(f'{takes} but no run in {settings.workdir}; give the --workdir of that '
                           'run, or remove the record to train it again')
  last = {row['model']: row['iteration'] for row in metrics.read(Workdir(folder).metrics)}
  record = records.read(settings.results, run.encoder)
  if [*last.values()] != [seed['iterations'] for seed in record['seeds']]:
    raise errors.UserError(f'{takes}, and the run in {folder} is another one, or not at its end; '
                           'give the --workdir of that run, or another --results')


def done(run: runs.Run, settings: Settings) -> bool:
  """Whether the record of this run is there, and of no less than these settings ask for.

  Raises:
    UserError: it is of tests of another kind: what is in one folder is compared.
  """
  record = records.read(settings.results, run.name)
  if record is None:
    return False
  with records.legible(settings.results):
    _check_alike(run, settings, claims.tested(record))
    had = _had(run, record)
    if len(claims.converged(record)) == len(record['seeds']):
      del had['max_iterations']  # More would make no difference.
    return all(had.get(name, value) >= value for name, value in _asked(run, settings).items())


def _check_alike(run, settings, tested):
  if not tested <= {(settings.length, settings.memory)}:
    had = ' and '.join(f'--length={length} --memory={memory}' for length, memory in sorted(tested))
    raise errors.UserError(
        f'the record of {run.name} in {settings.results} is of tests with {had}, not with '
        f'--length={settings.length} --memory={settings.memory}; ask for the same or give another '
        '--results')


def _check_not_less(run, settings):
  record = records.read(settings.results, run.name)
  if record is None or done(run, settings):
    return
  had = _had(run, record)
  if settings.batches is None:  # The budget's, of which the best may have had more.
    had.pop('batches', None)
  records.check_not_less(
      records.path(settings.results, run.name), _asked(run, settings), had)


def _asked(run, settings) -> dict[str, int]:
  config = run.config(settings.seeds, settings.max_iterations)
  return {'seeds': config.seeds, 'max_iterations': config.max_iterations,
          'batches': settings.batches or run.budget.others}


def _had(run, record) -> dict[str, int]:
  """The same of a record; batches where a seed that converged was tested."""
  count = claims.sequences(record)
  return {'seeds': len(record['seeds']), 'max_iterations': record['config']['max_iterations'],
          **({'batches': count // run.budget.batch_size} if count else {})}


def _testers(run, config, settings):
  """One for each task; of those that a run is tested on, too, its one solver is asked.

  None for what is proved, not tested.
  """
  if run.is_proved:
    return []
  model = models.build(config)
  asked = {**dict.fromkeys(config.task, model),
           **{name: model.asking(config.task[0], name) for name in run.also}}
  return [evaluation.Tester(model, tasks.get(name), settings.length, settings.memory,
                            run.budget.batch_size) for name, model in asked.items()]


def _seeds(run, state, rows, testers, settings):
  """What came out, by seed."""
  if run.is_baseline:
    return _baselines(run, state, rows, testers, settings)
  encoders = _encoders(testers[0].model, state.params) if run.is_encoder else []
  also = dict.fromkeys(run.also, settings.batches or run.budget.best)
  seeds = [_seed(one, [row for row in rows if row['model'] == k], testers, settings,
                 {**dict.fromkeys(run.options['task'], batches), **also})
           for k, (one, batches) in enumerate(
               zip(outcomes.models(state), _batches(run, state, settings)))]
  return [{**seed, **({'encoder': encoders[k]} if encoders else {})}
          for k, seed in enumerate(seeds)]


def _baselines(run, state, rows, testers, settings):
  """What came out, by seed, of a population whose best is chosen and tested in two memories."""
  (tester,), budget = testers, run.budget
  population = outcomes.models(state)
  choices = _choices(tester, population, budget.choice)
  best = min(range(len(population)), key=lambda k: claims.rank(
      {'choice': choices[k], 'iterations': int(population[k].iteration)}))
  in_double = functools.cache(lambda length: dataclasses.replace(
      tester, max_length=length, addresses=2 * length + 2))
  found = []
  for k, model in enumerate(population):
    batches = settings.batches or (budget.best if k == best else budget.others)
    seed = _seed(model, [row for row in rows if row['model'] == k], testers, settings,
                 {tester.task.name: batches})
    seed['test'][tester.task.name][claims.DOUBLE] = _doubled(
        in_double, model.params, settings, batches, _lengths(settings) if k == best else ())
    found.append({**seed, 'choice': choices[k]})
  return found


def _choices(tester, population, batches):
  """By model what it knows of the sequences by which the best is chosen."""
  choosers = [dataclasses.replace(tester, max_length=CHOICE_LENGTH, addresses=memory)
              for memory in CHOICE_MEMORIES]
  return [[_counted(chooser, model.params, CHOICE_LENGTH, batches, CHOICE_SEED)
           for chooser in choosers] for model in population]


def _doubled(tester, params, settings, batches, lengths):
  """What is right in 2 L + 2 addresses for L items, and a batch at each of these lengths.

  `tester` is a function of L.
  """
  counts = {length: tester(length).test(params, length, batches=1) for length in lengths}
  return {**_counted(tester(settings.length), params, settings.length, batches),
          'curve_sequences': tester(settings.length).batch_size,
          'curve': outcomes.curve(counts)}


def _counted(tester, params, length, batches, seed=0):
  """What a tester counts, with the length and the memory."""
  counts = tester.test(params, length, batches, seed)
  return {**counts.named(tester.task.answers.unit), 'length': length, 'memory': tester.addresses}


def _lengths(settings):
  return [length for length in LENGTHS if length <= settings.length]


def _proved(config, population):
  """What came out, by seed, and by task what is known about it."""
  model = models.build(config)
  return [{
      'seed': int(state.seed), 'iterations': int(state.iteration),
      'converged': outcomes.or_none(state.converged), 'loss': float(state.loss),
      **_known(model, state.params, config.task)} for state in outcomes.models(population)]


def _known(model, params, names):
  """By task why a model is not proved right, '' where it is; and by which sequence it is wrong."""
  said = {name: verdict.still_open(model, params, tasks.get(name)) for name in names}
  return {'still_open': said, 'refuted': {
      name: verdict.refuted(model, params, tasks.get(name)) for name in names if said[name]}}


def _batches(run, state, settings):
  """Test batches by model."""
  best, budget = trained.best(state._asdict()), run.budget

  def batches(k):
    if k == best:
      return budget.best
    return budget.failed if state.converged[k] == NEVER else budget.others

  return [settings.batches or batches(k) for k in range(len(state.seed))]


def _seed(state, rows, testers, settings, batches):
  """What came out of one; `batches` by task."""
  return {
      **outcomes.trained(state, rows),
      'test': {tester.task.name: _test(tester, state.params, settings, batches[tester.task.name])
               for tester in testers},
      'validations': [_validation(row) for row in rows if 'validation_loss' in row],
      'losses': [_round(row['loss']) for row in rows]}


def _validation(row):
  """[iteration, training loss, bit accuracy in validation, the worst task's]."""
  accuracy = min(value for name, value in row.items() if name.startswith('bit_accuracy/'))
  return [row['iteration'], _round(row['loss']), accuracy]


def _round(loss):
  return float(f'{loss:.3g}')


def _test(tester, params, settings, batches):
  task = tester.task.name
  if task not in params['solvers']:
    params = encoder_solver.asked(params, *params['solvers'], task)
  curve = tester.curve(params, _lengths(settings))
  return {**_counted(tester, params, settings.length, batches),
          'curve_sequences': tester.batch_size, 'curve': outcomes.curve(curve)}


def _encoders(model, population):
  """Figures 6 and 7 as numbers, for every encoder of a population."""
  def measure(params):
    writing = diagnostics.writing(model, params, length=100, addresses=128)
    words = diagnostics.repeated_words(model, params, length=100, addresses=128)
    return {**writing._asdict(), 'forward_bias': diagnostics.forward_bias(words)}
  measured = jax.device_get(compilation.jit(jax.vmap(measure))(population))
  return [dict(zip(measured, map(float, values))) for values in zip(*measured.values())]
