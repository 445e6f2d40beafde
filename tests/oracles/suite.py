"""The working-memory suite worked out again from what a model of one cell reads, in plain Python.

An episode is a list of steps, each the control bits, the item and the answer that is due (None:
none counts), all as tuples. From control bits alone it is taken apart into groups: a marker and the
words up to the next one.
"""

import re
from typing import NamedTuple


class Group(NamedTuple):
  """A marker and what follows it."""
  marker: str
  words: list  # as read, each a tuple of bits
  answers: list  # what is due at each; None where nothing counts


def groups(steps, symbols):
  """Takes steps apart; `symbols` has a letter for each control bit."""
  found = []
  for control, item, answer in steps:
    if any(control):
      assert sum(control) == 1 and not any(item), 'a marker has one control bit and no data'
      assert answer is None, 'no marker is answered'
      found.append(Group(symbols[control.index(1)], [], []))
    else:
      found[-1].words.append(item)
      found[-1].answers.append(answer)
  return found


def check(task, steps):
  """Whether the order of markers, the slots and all answers are as the task is defined."""
  form, of_second, of_main = TASKS[task]
  found = groups(steps, '#$%&')
  assert re.fullmatch(form, ''.join(group.marker for group in found)), found
  x = [group.words for group in found if group.marker == '#']
  assert all(x), 'no sub-sequence is empty'
  y = []
  for group in found:
    wanted = [None] * len(group.words)
    if group.marker == '%':
      assert group.words, 'no sub-sequence is empty'
      y = group.words
    elif group.marker == '&':
      wanted = of_second(y)
    elif group.marker == '$':
      wanted = of_main(x, group.words)
    if group.marker in '&$' and task != 'sequence_symmetry':
      assert not any(map(any, group.words)), 'slots are empty'
    assert group.answers == wanted + [None] * (len(group.words) - len(wanted)), (task, group)


def rotated(sequence, by):
  """To the right."""
  by %= len(sequence)
  return sequence[len(sequence) - by:] + sequence[:len(sequence) - by]


def _all(x, slots):
  del slots
  return [word for part in x for word in part]


def _changed(change):
  return lambda x, slots: [change(word) for word in _all(x, slots)]


def _not(word):
  return tuple(1 - bit for bit in word)


def _half_of_bits(word):
  return tuple(rotated(list(word), 4))


def _half(y):
  return rotated(y, round(len(y) / 2))


def _symmetric(x, other):
  (x,) = x
  return [None] * (len(x) - 1) + [(int(x == other[::-1]),)]


def _as_it_is(y):
  return y


_EACH = '(#%&)+[$]'
# Markers as an expression, what of y_i is due after &, what of all x after $.
TASKS = {
    'repeat_serial': ('#[$]{1,5}', None, _all),
    'repeat_reverse': ('#[$]{1,5}', None, lambda x, slots: _all(x, slots)[::-1]),
    'skip_recall': ('#[$]', None, lambda x, slots: _all(x, slots)[0::2]),
    'spatial_not': ('#[$]', None, _changed(_not)),
    'spatial_rotation': ('#[$]', None, _changed(_half_of_bits)),
    'temporal_rotation': ('#[$]', None, lambda x, slots: _half(_all(x, slots))),
    'sequence_symmetry': ('#[$]', None, _symmetric),
    'ignore': ('(#%)+[$]', None, _all),
    'carry': ('(#%)+&[$]', _as_it_is, _all),
    'forget': (_EACH, _as_it_is, _all),
    'interruption_not': (_EACH, lambda y: [_not(word) for word in y], _all),
    'interruption_reverse': (_EACH, lambda y: y[::-1], _all),
    'interruption_swap': (_EACH, _half, _all),
    'operation_span': (_EACH, lambda y: [_half_of_bits(word) for word in y], _all),
    'scratch_pad': ('#+[$]', None, lambda x, slots: x[-1]),
    'reading_span': ('#+[$]', None, lambda x, slots: [part[-1] for part in x]),
}
