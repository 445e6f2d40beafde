"""The paper's numbers as claims: in how many iterations, how right at length 1000, and others."""

from . import claims
from . import runs
from .claims import Claim

ENCODERS = tuple(runs.ENCODERS)
JOINT = tuple(f'E_J-{task}' for task in runs.TASKS)


def _table1():
  paper = {'serial_recall': 6_000, 'odd_recall': 6_900, 'sequence_equality': 27_000}
  for task, steps in paper.items():
    yield Claim('Table 1', f'{task} on frozen E_S', f'{steps:,}; 100 %', (f'E_S-{task}',),
                claims.converges(steps))
  yield Claim('Table 1', 'reverse_recall on frozen E_S', 'fails, no better than chance',
              ('E_S-reverse_recall',), claims.fails)
  yield Claim('Table 1', 'sequence_comparison on frozen E_S does not converge', '100,000; 99.4 %',
              ('E_S-sequence_comparison',), claims.fails)


def _table2():
  paper = {'serial_recall': 7_000, 'reverse_recall': 6_900, 'odd_recall': 7_200,
           'sequence_equality': 9_200, 'sequence_comparison': 11_000}
  for task, steps in paper.items():
    yield Claim('Table 2', f'{task} on frozen E_J', f'{steps:,}; 100 %', (f'E_J-{task}',),
                claims.converges(steps))


CLAIMS = [
    Claim('4.1', 'a loss of 0.01 or less goes with 100 % validation accuracy', '100 %',
          (*ENCODERS, *JOINT), claims.accuracy_implied),
    Claim('4.1', 'a loss of 1e-5 means perfect recall at length 1000', '100 %',
          (*ENCODERS, *JOINT), claims.converged_means_perfect),
    Claim('4.2, Fig. 4', 'E_S, end to end', '11,000; 100 %', ('E_S',), claims.converges(11_000)),
    Claim('4.2', 'a solver on frozen E_S trains sooner than E_S did', '6,000 against 11,000',
          ('E_S-serial_recall', 'E_S'), claims.sooner),
    *_table1(),
    Claim('4.2, Fig. 6', 'writes are hard, one address an item, in order', 'all seeds',
          ENCODERS, claims.writes_hard),
    Claim('4.2', 'some seeds write forwards, others backwards', 'both', ENCODERS,
          claims.both_directions),
    Claim('4.2, Fig. 7a', 'E_S stores a repeated item unevenly, E_J evenly', 'E_S > E_J',
          ('E_S', 'E_J'), claims.more_biased),
    Claim('4.3', 'E_R does not converge; its best loss', 'about 0.01', ('E_R',),
          claims.stays_above(1e-3)),
    Claim('4.3', 'E_R at length 500', '100 %', ('E_R',),
          claims.accuracy_at(500, 'reverse_recall', 0.99995, 1)),
    Claim('4.3', 'E_R at length 1000', '92 %', ('E_R',),
          claims.accuracy_at(1000, 'reverse_recall', 0.91, 0.93)),
    Claim('4.4, Fig. 10', 'E_J, jointly on Serial and Reverse Recall', '12,000', ('E_J',),
          claims.converges(12_000)),
    *_table2(),
    Claim('5.1', 'serial_recall trains sooner on frozen E_J than E_J did', '7,000 against 12,000',
          ('E_J-serial_recall', 'E_J'), claims.sooner),
    Claim('5.2', 'Odd Recall with shifts by one does not train', 'loss close to 0.5',
          ('E_J-odd_recall_shift_1',), claims.stays_above(0.4)),
    Claim('5.3', 'Equality converges sooner than Comparison', '9,200 against 11,000',
          ('E_J-sequence_equality', 'E_J-sequence_comparison'), claims.sooner),
    Claim('beyond', 'Equality where exactly one bit differs, on frozen E_J', '-',
          ('E_J-hard_equality',), claims.converges(9_200)),
    Claim('beyond', 'the same, trained with an answer after every item', '-',
          ('E_J-prefix_equality',), claims.exact('hard_equality', .5)),
]

# Table 2, right-hand side: steps to converge and percent of bits at length 1000, task by task.
_BASELINES = {
    'lstm': ((claims.NEVER, 50.12), (claims.NEVER, 50.19), (claims.NEVER, 50.72),
             (claims.NEVER, 50.13), (claims.NEVER, 50.75)),
    'ntm': ((29_000, 100.), (37_000, 100.), (57_000, 100.), (98_000, 100.), (claims.NEVER, 50.13)),
    'dnc': ((19_100, 65.64), (17_800, 63.34), (claims.NEVER, 50.19), (83_100, 45.31),
            (claims.NEVER, 50.75)),
}
BASELINES = [
    Claim(model.upper(), task, f'{steps:,}; {percent} %', (f'{model}-{task}',),
          claims.baseline(steps, percent))
    for model, best in _BASELINES.items() for task, (steps, percent) in zip(runs.PAPER_TASKS, best)]
