"""What the paper says in sections 4 and 5, and how to hold a measurement against it."""

from collections.abc import Callable, Mapping
import dataclasses
import math
import pathlib
import statistics
from typing import NamedTuple

from . import runs
from ..shared import records
from ..shared.records import Record
from maes_jax import errors

BETTER, SAME, NOT, OPEN = 'better', 'reproduced', 'not reproduced', 'not measured'
OTHER = 'measured in another way'
ENOUGH = 0.9  # A claim about training holds where at least this share of the seeds succeeds.
NEVER = 100_000  # What the paper gives as the iterations of a model that does not converge.

LENGTH, MEMORY, SEQUENCES = 1000, 1024, 3200  # Of the test that documents are about.


class Finding(NamedTuple):
  """What was measured, in words, and the verdict."""
  text: str
  verdict: str


def found(text: str, holds: bool, better: bool = False) -> Finding:
  """Whether a claim holds; `better` counts if it does."""
  return Finding(text, NOT if not holds else BETTER if better else SAME)


Measure = Callable[..., Finding]


@dataclasses.dataclass(frozen=True)
class Claim:
  """One number or statement of the paper.

  Attributes:
    section: where it stands.
    says: the claim in words.
    paper: the paper's value.
    runs: names of the records that it is measured on, passed to `measure` in this order.
    measure: records -> Finding.
  """
  section: str
  says: str
  paper: str
  runs: tuple[str, ...]
  measure: Measure

  def judge(self, records: Mapping[str, Record], prefix: str = '') -> Finding:
    """Measures the claim on the records of one recipe."""
    names = [prefix + name for name in self.runs]
    if not records.keys() >= set(names):
      return Finding('', OPEN)
    return self.measure(*(records[name] for name in names))


def read(results: pathlib.Path, name: str) -> Record | None:
  """The record of a run, or None where there is none yet, to be written about.

  Raises:
    UserError: the file is no record, or was tested on other or on fewer sequences than what is
      written says; of baselines it says how many.
  """
  record = records.read(results, name)
  if record is None:
    return None
  with records.legible(results):
    where = tested(record)
    count = None if runs.RUNS[name].is_baseline else sequences(record)
  if where <= {(LENGTH, MEMORY)} and (count or SEQUENCES) >= SEQUENCES:
    return record
  had = [f'{length:,} items in {memory:,} addresses' for length, memory in sorted(where)]
  had += [f'{count:,} sequences'] if count else []
  raise errors.UserError(
      f'record {records.path(results, name)} is of tests on {", ".join(had)}, and documents are '
      f'about {LENGTH:,} in {MEMORY:,}, {SEQUENCES:,} sequences; test it so, or keep it in another '
      'folder')


def tested(record: Record) -> set[tuple[int, int]]:
  """Lengths and memory sizes of the tests; of what is proved, and of older ones, none are said."""
  return {(test['length'], test['memory']) for seed in record['seeds']
          for test in seed.get('test', {}).values() if 'length' in test}


def sequences(record: Record) -> int | None:
  """The fewest that a seed that converged was tested on; None where none is said."""
  return min((test['sequences'] for seed in converged(record)
              for test in seed.get('test', {}).values() if 'sequences' in test), default=None)


def succeeded(seed: Mapping) -> bool:
  """Converged, and every bit of every long sequence right."""
  return seed['converged'] is not None and share_right(seed) == 1


def share_right(seed: Mapping) -> float:
  """Share of right bits at length 1000, the worst task's."""
  return min(test['bits_right'] / test['bits'] for test in seed['test'].values())


def success(record: Record) -> float:
  """Share of the seeds that succeeded."""
  return sum(map(succeeded, record['seeds'])) / len(record['seeds'])


def converged(*records: Record) -> list[Mapping]:
  """The seeds that converged."""
  return [seed for record in records for seed in record['seeds'] if seed['converged'] is not None]


def iterations(record: Record) -> list[int]:
  """Iterations to convergence of the seeds that converged, in order."""
  return sorted(seed['converged'] for seed in converged(record))


def accuracies(record: Record) -> list[float]:
  """Share of right bits at length 1000 by seed, the worst task's, in order."""
  return sorted(map(share_right, record['seeds']))


def span(values, form='{:,}') -> str:
  """`median [min - max]`."""
  if not values:
    return '-'
  middle = statistics.median(values)
  middle = int(middle) if all(isinstance(value, int) for value in values) else middle
  return f'{form} [{form}–{form}]'.format(middle, values[0], values[-1])


def describe(record: Record) -> str:
  """Success rate, iterations and accuracy of a run, in a line."""
  seeds = record['seeds']
  wins = sum(map(succeeded, seeds))
  done = iterations(record)
  return (f'{wins} of {len(seeds)} succeed; {len(done)} converge at {span(done)}; '
          f'bits right at 1000: {span(accuracies(record), "{:.2%}")}')


def converges(within: int) -> Measure:
  """Nearly all seeds succeed, in the paper's number of iterations (+ 10 %) in the median."""
  def measure(record):
    enough = success(record) >= ENOUGH
    steps = statistics.median(iterations(record)) if enough else float('inf')
    return found(describe(record), steps <= 1.1 * within, better=steps < 0.9 * within)
  return measure


def exact(task: str, share: float) -> Measure:
  """So many seeds have every sequence of a task right at length 1000, whatever their loss."""
  def measure(record):
    tests = [seed['test'][task] for seed in record['seeds']]
    right = [test['sequences_right'] for test in tests]
    wins = sum(test['sequences_right'] == test['sequences'] for test in tests)
    return found(f'{wins} of {len(tests)} seeds have all {tests[0]["sequences"]:,} sequences '
                 f'right; right by seed: {", ".join(map("{:,}".format, right))}',
                 wins >= share * len(tests))
  return measure


def fails(record) -> Finding:
  """The paper's training failed."""
  return found(describe(record), 1 - success(record) >= ENOUGH)


def stays_above(loss: float) -> Measure:
  """No seed's 100-iteration loss ever falls under `loss`."""
  def measure(record):
    best = sorted(seed['best_loss'] for seed in record['seeds'])
    return found(f'lowest loss {span(best, "{:.2g}")}', best[0] >= loss)
  return measure


def accuracy_implied(*records) -> Finding:
  """Training loss at most 0.01 goes with full validation accuracy."""
  points = [point for record in records for seed in record['seeds']
            for point in seed['validations'] if point[1] <= 0.01]
  full = sum(point[2] == 1 for point in points)
  share = full / max(len(points), 1)
  return found(
      f'{full:,} of {len(points):,} validations at a loss of at most 0.01 ({share:.1%})',
      0 < full == len(points))


def converged_means_perfect(*records) -> Finding:
  """A model that reached the stopping loss is perfect at length 1000."""
  done = converged(*records)
  perfect = sum(map(succeeded, done))
  return found(f'{perfect} of {len(done)} converged models are perfect at length 1000',
               0 < perfect == len(done))


def writes_hard(*records) -> Finding:
  """Every write on one address, each on its own, one step on in a constant direction."""
  seen = [seed['encoder'] for seed in converged(*records)]
  hard = sum(e['hardness'] > 0.99 and e['distinct'] == 1 and e['constant_step'] == 1 for e in seen)
  return found(
      f'{hard} of {len(seen)} converged encoders; smallest share on the largest address '
      f'{min((e["hardness"] for e in seen), default=0):.4f}', 0 < hard == len(seen))


def both_directions(*records) -> Finding:
  """Some encoders move forwards, others backwards."""
  steps = [seed['encoder']['step'] for seed in converged(*records)]
  forwards, backwards = sum(s > 0 for s in steps), sum(s < 0 for s in steps)
  return found(f'{forwards} move forwards, {backwards} backwards', min(forwards, backwards) > 0)


def more_biased(serial, joint) -> Finding:
  """E_S stores a repeated item less evenly than E_J."""
  one, other = (sorted(seed['encoder']['forward_bias'] for seed in converged(record))
                for record in (serial, joint))
  return found(
      f'spread E_S {span(one, "{:.2%}")}, E_J {span(other, "{:.2%}")}',
      bool(one and other) and statistics.median(one) > 2 * statistics.median(other))


def accuracy_at(length: int, task: str, at_least: float, at_most: float) -> Measure:
  """Bit accuracy at a length lies between two bounds in most seeds."""
  def measure(record):
    values = sorted(seed['test'][task]['curve'][str(length)] for seed in record['seeds'])
    middle = statistics.median(values)
    return found(f'bits right at {length}: {span(values, "{:.2%}")}', middle >= at_least,
                 better=middle > at_most)
  return measure


def sooner(one, other) -> Finding:
  """The first converges in fewer iterations than the second."""
  a, b = iterations(one), iterations(other)
  return found(f'{span(a)} against {span(b)}',
               bool(a and b) and statistics.median(a) < statistics.median(b))


def best(record: Record) -> Mapping:
  """The seed that the paper would report, chosen by what the test does not see.

  It is the one most right on the validation sequences of length 100, the one trained for fewer
  iterations of equals. Records of before these were tried have the first to converge, or else the
  one of the smallest validation loss.
  """
  return min(record['seeds'], key=rank)


def rank(seed: Mapping) -> tuple:
  """The smaller, the better; see `best`."""
  if 'choice' in seed:
    return -sum(tried['bits_right'] for tried in seed['choice']), seed['iterations']
  return seed['converged'] is None, seed['converged'] or 0, seed['validation_loss']


def published(record: Record) -> bool:
  """Whether a baseline was trained and tested as the authors' code has it.

  A control bit says when an answer is due; L items are tested in 2 L + 2 addresses.
  """
  return bool(record['config'].get('phase_bit'))


def outcome(record: Record) -> tuple[str, str, str]:
  """Seeds that succeed, iterations, and bits right at length 1000."""
  seeds = record['seeds']
  return (f'{sum(map(succeeded, seeds))} of {len(seeds)}',
          span(iterations(record)),
          span(accuracies(record), '{:.2%}'))


def at(seed: Mapping, memory: str) -> Mapping:
  """The test of a seed of one task: in 1,024 addresses, or in those of `DOUBLE`."""
  (test,) = seed['test'].values()
  return test[DOUBLE] if memory == DOUBLE else test


DOUBLE = 'double'  # 2 L + 2 addresses for L items, as in the authors' code.


def wilson(share: float, count: int) -> tuple[float, float]:
  """95 % interval of a share seen in so many sequences (Wilson 1927).

  Bits of one sequence are wrong together, so that a sequence counts once, however many it has.

  >>> low, high = wilson(.9, 100)
  >>> print(f'{low:.3f} to {high:.3f}')
  0.826 to 0.945
  """
  z = statistics.NormalDist().inv_cdf(.975)
  middle = share + z**2 / (2 * count)
  half = z * math.sqrt(share * (1 - share) / count + (z / (2 * count))**2)
  return (middle - half) / (1 + z**2 / count), (middle + half) / (1 + z**2 / count)


def baseline(steps: int, accuracy: float) -> Measure:
  """The best of a population against the paper's best of ten (section 5.4), as its code tests it.

  What was trained or tested otherwise is shown and not judged.

  Args:
    steps: iterations to convergence in the paper, or `NEVER`.
    accuracy: share of right bits at length 1000 in the paper, in percent.
  """
  def measure(record):
    chosen = best(record)
    if not published(record):
      return Finding(_describe_best(record, chosen), OTHER)
    test, taken = at(chosen, DOUBLE), chosen['converged'] or NEVER
    low, high = wilson(test['bits_right'] / test['bits'], test['sequences'])
    if accuracy == 100:
      reached = test['bits_right'] == test['bits']
      better = reached and taken < 0.9 * steps
    else:  # As far as so many sequences can tell.
      reached, better = high >= accuracy / 100, low > accuracy / 100
    holds = (steps == NEVER or taken <= 1.1 * steps) and reached
    return found(_describe_best(record, chosen), holds or better, better)
  return measure


def perfect(record: Record, memory: str) -> int:
  """How many seeds have every bit at length 1000 right, in that memory."""
  tests = [at(seed, memory) for seed in record['seeds']]
  return sum(test['bits_right'] == test['bits'] for test in tests)


def _describe_best(record, chosen):
  done = iterations(record)
  when = 'never' if chosen['converged'] is None else f'{chosen["converged"]:,}'
  memories = (DOUBLE, '') if published(record) else ('',)
  tests = '; '.join(_describe_test(record, at(chosen, memory), memory) for memory in memories)
  return (f'{len(done)} of {len(record["seeds"])} converge at {span(done)}; best: seed '
          f'{chosen["seed"]}, {when}, loss {chosen["loss"]:.0e}; {tests}')


def _describe_test(record, test, memory):
  low, high = wilson(test['bits_right'] / test['bits'], test['sequences'])
  return (f'N = {test["memory"]:,}: {test["bits_right"] / test["bits"]:.2%} of bits at '
          f'{test["length"]} ({test["sequences"]:,} sequences, {low:.1%} to {high:.1%}), '
          f'{perfect(record, memory)} of {len(record["seeds"])} seeds perfect')
