"""Recipes: what fills in that which a config leaves open about training and about its cells.

A recipe is a function of a config; it gives values by the names of the config's fields.
"""

from collections.abc import Callable, Mapping
from typing import Any

from maes_jax import tasks
from maes_jax.config import Config
from maes_jax.tasks import dual

Recipe = Callable[[Config], Mapping[str, Any]]

# `plain` is the paper as far as it says. `short_first` is what made every seed learn: sequences
# that start short, attention that starts soft, and a memory that is written only little at first.
# `curriculum` is for the baselines (section 5.4): 3 to 5 items first, the longest grows by one
# every 500 iterations to 20, as in the code of the paper's group.
SCHEDULES: dict[str, dict[str, Any]] = {
    'plain': {
        'learning_rate': 0.01, 'half_life': 0, 'b2': 0.999, 'warmup': 0,
        'start_min_length': 3, 'start_length': 20, 'hold': 0, 'grow': 0},
    'short_first': {
        'learning_rate': 0.02, 'half_life': 0, 'b2': 0.95, 'warmup': 200,
        'start_min_length': 3, 'start_length': 3, 'hold': 300, 'grow': 700},
    'curriculum': {
        'learning_rate': 0.005, 'half_life': 0, 'b2': 0.95, 'warmup': 200,
        'start_min_length': 3, 'start_length': 5, 'hold': 0, 'grow': 7500},
}
# What a recipe need not say.
COMMON: dict[str, Any] = {
    'ring': 'whole', 'phase_bit': False, 'hard_batches': 0, 'clip': 10., 'validate_every': 500,
    'stop_loss': 1e-5, 'restart_every': 0}
_SOFT = {'write_bias': -3., 'gamma_bias': -3.}
# Heads that move by shifts find at any length what they find at 20 items; a word that they look for
# stands out less among more addresses. A write head whose attention has spread evenly is lost, as
# no shift moves it: it starts out going on by itself, erasing little. Moments of Adam that remember
# a thousand gradients, and small clips, keep what was learnt from one odd sequence.
_NTM_START = {'gate_bias': -5., 'gamma_bias': -1.5, 'write_bias': -3., 'walk_bias': 1.}
_NTM_TRAINING = {'learning_rate': 0.01, 'b2': 0.999, 'clip': 0.1}
# Of 0.0003, 0.001, 0.003 and 0.005 that of the lowest loss after 6,000 iterations of Serial Recall,
# 0.25; at 0.005 none of ten seeds had learnt anything by then.
_LSTM_TRAINING = {'learning_rate': 0.001}
# One answer a sequence teaches little: comparing the last item alone is right on 255 of 256 unequal
# sequences. Sequences of 1 to 3 items teach to compare, for long, as later on few show a pair of
# words that is taken for equal; hidden units that hold on to what they saw, to remember every item;
# and a rate that falls, what is rare. Units before the output must not be off for all words at
# first: they would stay so.
_ONE_ANSWER: dict[str, Any] = {
    'start_min_length': 1, 'start_length': 3, 'hold': 1000, 'grow': 4000, 'half_life': 1000,
    'solver': {'latch': 3., 'output_centre': .5, 'output_start': .5}}
# On an encoder that is there, attention must not start in any direction; one that learns as well
# would be held up. What is rare is not forgotten at once by a second moment of a hundred gradients,
# and a rate that falls for longer has the time to learn it.
_ONE_ANSWER_ON_ENCODER = {
    **_ONE_ANSWER, 'b2': 0.99, 'half_life': 4000,
    'solver': {**_ONE_ANSWER['solver'], 'start_scale': 0.}}
# An answer after every item teaches to remember with pairs of items. Hidden units with two resting
# points then learn on a few items to hold one against noise, which is to hold it for good. Lengths
# grow slowly: in long ones noise drowns what is to be learnt. `max_length=10` is enough.
_PREFIXES = {
    'start_min_length': 1, 'start_length': 2, 'hold': 2000, 'grow': 10_000, 'half_life': 1000,
    'solver': {'latch': 6., 'noise': 1.}}
# One wrong pair of 65,536 hides in a mean loss of 1e-5: hard sequences show it. A pair that is
# rarely seen may also leave attention soft, unless it starts sharp, as the encoder's is by then.
# What is sharp does not turn: it must not start in any direction, nor be driven off the items by
# answers that are wrong at random. Units before the output that are off for all words at first
# would stay so.
_PAIRS = {
    'hard_batches': 8, 'learning_rate': 0.01, 'half_life': 4000,
    'solver': {'gamma_bias': 1., 'start_scale': 0., 'output_centre': .5, 'output_start': .5}}
# Three items teach attention to skip one, one and two that it need not: with all three at first it
# neither stays soft nor stays where it is. A seed that does all the same starts anew.
_EVERY_OTHER = {'start_min_length': 1, 'restart_every': 20_000}
# What says again what was stored is right once lengths are full, and then grows surer: that may be
# fast.
_FAST = {'learning_rate': 0.04}
# Beside a solver that starts in some direction, with answers of its own, some encoders never move;
# beside several, some leave the marker softly, and store a part of the first item with the second.
# On an encoder that is there, some solvers go astray.
_EVEN = {'solver': {'start_scale': 0.}}
# What is rare hides in a mean loss, and answers that are repeated are all wrong. Sequences that are
# longer than any of training are to be right, too, before it ends.
_LONGER = {'stop_on': 'validation'}
_REPEATED = {**_LONGER, **_EVEN, 'stop_loss': 1e-7, 'restart_every': 16_000}
# Of two sequences a cell that has gone the way of another's stays there; and who is right by a hair
# in three sub-sequences is wrong in twenty.
_INTERRUPTED = {'stop_loss': 1e-7, 'restart_every': 8000}
# Attention that leaks a little is right in training and lost in sequences that are longer: noise in
# what moves it teaches a margin. So do words that take the place of others from the start, where
# they would add up without end. The loss that ends training is then that against noise. Cells that
# come after an encoder have to leave what it wrote. Who has not learnt it soon against noise never
# does, and starts anew; who is right by a hair goes on until the loss is next to nothing.
_SURE = {'write_bias': 0., 'erase_bias': 3., 'head_noise': 1.}
_LEAVING = {'start_scale': 0., 'erase_bias': 0.}
# One address holds three tokens of two kinds as well as one: with so few at first encoders stay. A
# rate that falls a little ends what else goes to and fro for good.
_TOKENS = {'start_length': 6, 'hold': 5000, 'grow': 20_000, 'half_life': 20_000,
           'stop_loss': 1e-8, 'restart_every': 35_000,
           'cell': {**_SURE, 'units': 10}, 'solver': _LEAVING}
# A jump that brings along some of the last word makes the first of a copy a blend.
_COPIES = {'hold': 3000, 'grow': 20_000, 'half_life': 20_000,
           'solver': {'start_scale': 0., 'head_noise': 1.}}
# A token is a single one among a few numbers: a memory that is written little hardly shows it.
# Stack Manipulation gains nothing by noise. It is learnt in a thousand sequences, which show few
# of the ways in which actions follow upon each other: sixteen times as many do.
_BACKWARDS = {'start_length': 8, 'hold': 2000, 'grow': 8000, 'restart_every': 15_000,
              'cell': _SURE, 'solver': _LEAVING}
_STACKED = {**_LONGER, **_EVEN, 'start_length': 8, 'batch_size': 16, 'stop_loss': 1e-8,
            'restart_every': 8000, 'cell': {'write_bias': 0.}}
# One answer: two states of an automaton are learnt on one token and two, five on four. An encoder
# that stays at an address adds up there what it should hold; on its way it finds empty ones after a
# thousand steps as after ten. One sequence at a time drives it off, and more states take more
# units, and bear less noise. What is to be held for good, as the first token, is held by units that
# have two resting points.
_WALKING = {**_SURE, 'units': 10, 'gamma_bias': 1., 'walk_bias': 6.}
_STATES = {'start_min_length': 1, 'start_length': 2, 'learning_rate': 0.01, 'batch_size': 16,
           'stop_loss': 1e-7, 'solver': {'gamma_bias': -3., 'walk_bias': 0.}}
_PARITY = {**_STATES, 'hold': 2000, 'grow': 15_000, 'restart_every': 20_000, 'cell': _WALKING}
_FIRST_AND_LAST = {**_STATES, 'hold': 1000, 'grow': 10_000, 'restart_every': 20_000, 'cell': {
    **_WALKING, 'latch': 6., 'noise': 0.5, 'head_noise': 1.5}}
_MORE_STATES = {**_STATES, **_LONGER, 'start_length': 4, 'hold': 8000, 'grow': 10_000,
                'half_life': 4000, 'stop_loss': 1e-5,
                'cell': {**_WALKING, 'units': 20, 'head_noise': 0.4}}
# The missing bit is the parity of the others, of two tokens at first.
_MISSING = {**_STATES, 'start_min_length': 2, 'start_length': 3, 'hold': 2000, 'grow': 8000,
            'restart_every': 14_000, 'solver': {},
            'cell': {**_SURE, 'units': 10, 'head_noise': 2.}}
# Numbers of a picture are learnt with what compares them, which takes a low rate: at 0.02 no seed
# ever began. One digit and then another are enough to begin with.
_PICTURES = {'learning_rate': 0.005, 'start_min_length': 1, 'start_length': 2,
             'cell': {'write_bias': 0.}}
# Who begins in the middle is led there by a cell that counts to four, and told where the end is by
# one that starts out going back to it, all against noise: no word of a thousand is to be taken for
# the last, nor to move the count. Who counts does so soon, or never. A word that moves the count,
# or is taken for the last, is rare: large batches show it.
_SHARP = {'gamma_bias': 1., 'head_noise': 0.5}
_WITH_MARGIN = {'gamma_bias': -2., 'head_noise': 0.7}
_COUNTING = {'clock': 12., 'gamma_bias': 0., 'noise': 0.7, 'head_noise': 1.}
_COUNTED = {**_LONGER, **_EVEN, 'start_min_length': 1, 'start_length': 8, 'hold': 3000,
            'grow': 7000, 'half_life': 15_000, 'learning_rate': 0.01, 'b2': 0.97, 'batch_size': 16,
            'stop_loss': 2e-6, 'restart_every': 18_000}
_ROTATION = {**_COUNTED, 'solvers': {
    'temporal_rotation': _WITH_MARGIN,
    'temporal_rotation/end': {'walk_bias': -4., **_WITH_MARGIN},
    'temporal_rotation/halfway': {'walk_bias': 2., **_COUNTING}}}
# The same in the other direction: what comes in between lies down from address 0. Signs of both are
# for an encoder that goes up, as E_J; one that goes down wants them turned round.
_SWAP = {**_COUNTED, 'batch_size': 8, 'start_length': 12, 'stop_loss': 5e-6,
         'restart_every': 32_000, 'solvers': {
    'interruption_swap/y_encoder': {'walk_bias': -6., **_SHARP},
    'interruption_swap/y_end': {'walk_bias': 4., **_SHARP},
    'interruption_swap/y_halfway': {'walk_bias': -2., 'clock': 12., 'noise': 0.7, **_SHARP},
    'interruption_swap/y_solver': {**_SHARP, 'head_noise': 1.}}}
_EQUALITY = ('sequence_equality', 'hard_equality', 'sequence_symmetry')
_CHANGES: dict[str, Mapping[str, Any]] = {
    **dict.fromkeys(_EQUALITY, _ONE_ANSWER), 'prefix_equality': _PREFIXES,
    **{task.name: _INTERRUPTED for task in dual.TASKS},
    'temporal_rotation': _ROTATION, 'interruption_swap': _SWAP,
    'sequence_comparison': _PAIRS, 'odd_recall': _EVERY_OTHER, 'reverse_recall': _EVEN,
    'repeat_serial': _REPEATED, 'repeat_reverse': _REPEATED,
    'duplicate_string': _TOKENS, 'odds_first': _TOKENS, 'missing_duplicate': _MISSING,
    'reverse_string': _BACKWARDS, 'stack_manipulation': _STACKED,
    'parity_check': _PARITY, 'even_pairs': _FIRST_AND_LAST, 'cycle_navigation': _MORE_STATES,
    'picture_change': _PICTURES, 'picture_match': _PICTURES}
_CHANGES_ON_ENCODER = {
    **_CHANGES, **dict.fromkeys(_EQUALITY, _ONE_ANSWER_ON_ENCODER),
    'serial_recall': _FAST, 'reverse_recall': _FAST, 'odd_recall': {**_EVERY_OTHER, **_FAST},
    'n_back': _PAIRS, 'repeat_copy': _COPIES}
# Few answers a sequence make the loss jump: batches of 64 (paper, section 5.3).
_LARGE_BATCH = ('sequence_comparison', 'prefix_equality', *_EQUALITY, 'n_back', 'delayed_match',
                'picture_change', 'picture_match')


def maes(config: Config) -> Mapping[str, Any]:
  """MAES is validated at length 64 and stops by its training loss (paper, section 4.1)."""
  values = {
      'stop_on': 'training', 'validation_length': 64, 'validation_memory': _memory_for(config, 64),
      'batch_size': _batch_size(config)}
  if config.recipe not in (None, 'short_first'):
    return {**_schedule(config, config.recipe), **values}
  changes = _on_encoder(config) if config.encoder else _from_scratch(config)
  if config.batch_size == 1:  # It has no half.
    changes = {**changes, 'hard_batches': 0}
  changes = _restarting(config, changes)
  cell = {**_SOFT, **changes.get('cell', {})}
  return {**values, **_schedule(config, 'short_first', **changes), 'cell': cell}


def _on_encoder(config):
  return {**_EVEN, **_shared(config, _CHANGES_ON_ENCODER)}


def _from_scratch(config):
  return {**(_EVEN if len(config.task) > 1 else {}), **_shared(config, _CHANGES)}


def _restarting(config, changes):
  """The same; without restarts where the encoder is there once, or lengths may take longer."""
  lasts = (config.encoder and config.unfreeze) or (config.hold, config.grow) != (None, None)
  return {**changes, 'restart_every': 0} if lasts else changes


def _shared(config, by_task):
  """What changes for all tasks alike; nothing where they differ in that."""
  first, *others = (by_task.get(task, {}) for task in config.task)
  return first if all(other == first for other in others) else {}


def _memory_for(config, length):
  """Addresses for so many items, with some to spare."""
  return 16 + _needs(config, length)


def _needs(config, length):
  """Addresses that so many items need, whatever the task."""
  return max(tasks.get(task).needs(length) for task in config.task)


def maes2018(config: Config) -> Mapping[str, Any]:
  """As its author trained: full lengths from the start, RMSprop (github.com/tsjayram/maes)."""
  return {**_schedule(config, config.recipe or 'plain', learning_rate=0.001, b2=0.9),
          'stop_on': 'training', 'validation_length': 64,
          'validation_memory': _memory_for(config, 64),
          'batch_size': _batch_size(config)}


def dwm(config: Config) -> Mapping[str, Any]:
  """As its authors trained: full lengths from the start, batches of 64 (IBM/mi-prometheus)."""
  return {**_schedule(config, config.recipe or 'plain', learning_rate=0.005),
          'stop_on': 'validation', 'batch_size': 64,
          'validation_length': config.max_length, 'validation_memory': config.memory}


def baseline(config: Config) -> Mapping[str, Any]:
  """As the code of the paper's group trains (IBM/mi-prometheus), and says when an answer is due.

  Validated, and stopped, just beyond the lengths of training (paper, section 5.4), in 2 L + 2
  addresses.
  """
  length = config.validation_length or 21
  return {**_schedule(config, config.recipe or 'curriculum'),
          'stop_on': 'validation', 'batch_size': _batch_size(config), 'phase_bit': True,
          'validate_every': 100, 'validation_length': length,
          'validation_memory': 2 + 2 * _needs(config, length)}


def lstm(config: Config) -> Mapping[str, Any]:
  """The same, and where no recipe is named a rate at which layers of 512 units learn at once."""
  return baseline(config) if config.recipe is not None else {**baseline(config), **_LSTM_TRAINING}


def ntm(config: Config) -> Mapping[str, Any]:
  """The same, and where no recipe is named what the NTM needs to be right beyond those lengths."""
  if config.recipe is not None:
    return baseline(config)
  return {**baseline(config), **_NTM_TRAINING, 'ring': 'drawn', 'cell': _NTM_START}


# To remember the first token is learnt on two, and for good while sequences grow slowly.
_NEUTRAL_CHANGES: dict[str, Mapping[str, Any]] = {
    'even_pairs': {'start_min_length': 1, 'start_length': 2, 'hold': 2000, 'grow': 20_000}}
# An automaton of five states: lookups of three tokens first, which few seeds make rules of before
# lengths are full, and the others never; more units, and a slower rate.
_GRU_CHANGES: dict[str, Mapping[str, Any]] = {**_NEUTRAL_CHANGES, 'cycle_navigation': {
    'start_min_length': 1, 'hold': 4000, 'grow': 20_000, 'restart_every': 40_000,
    'learning_rate': 0.002, 'b2': 0.99, 'batch_size': 8, 'stop_loss': 1e-6, 'cell': {'units': 64}}}


def neutral(config: Config) -> Mapping[str, Any]:
  """For cells of which nothing is known: batches and, where no recipe is named, a slow Adam."""
  return _neutral(config, _NEUTRAL_CHANGES)


def gru(config: Config) -> Mapping[str, Any]:
  """The same, and what the GRU needs to learn five places."""
  return _neutral(config, _GRU_CHANGES)


def _neutral(config, by_task):
  changes = {'batch_size': 16}
  if config.recipe is None:
    changes |= {'start_length': 3, 'hold': 500, 'grow': 2000, 'b2': 0.999,
                **_restarting(config, _shared(config, by_task))}
  return {**_schedule(config, config.recipe or 'curriculum', **changes), 'stop_on': 'validation',
          'validation_length': config.max_length, 'validation_memory': config.memory}


def _batch_size(config):
  return 64 if set(config.task) & set(_LARGE_BATCH) else 1


def _schedule(config, name, **changes):
  """Values of a schedule, cut to the longest sequence there is."""
  schedule = {'recipe': name, **SCHEDULES[name], **changes}
  longest = config.start_length or min(schedule['start_length'], config.max_length)
  return {**schedule, 'start_length': longest,
          'start_min_length': min(schedule['start_min_length'], longest)}
