"""Streams and the tasks of the Neural Turing Machine, worked out again in plain Python.

From what a model of one cell reads: (control bits, item, answer due or None) for each step.
"""

from tests.oracles.suite import groups


def n_back(steps, lag):
  first, later = groups(steps, '#$')
  assert (first.marker, later.marker, len(first.words)) == ('#', '$', lag)
  assert not any(first.answers)
  stream = first.words + later.words
  wanted = [(int(stream[i] == stream[i - lag]),) for i in range(lag, len(stream))]
  assert later.answers == wanted


def delayed_match(steps):
  before, (marker, probe, answers) = groups(steps, '#$')
  assert (before.marker, marker, len(probe)) == ('#', '$', 1)
  assert not any(before.answers)
  assert answers == [(int(probe[0] == before.words[0]),)]


def repeat_copy(steps, most):
  stored, (marker, words, answers) = groups(steps, '#$')
  number, *slots = words
  copies = sum(int(bit) << i for i, bit in enumerate(number))
  assert marker == '$' and 1 <= copies <= most and not any(map(any, slots))
  assert answers == [None] + [(*word, 0) for word in copies * stored.words] + [(0,) * 8 + (1,)]
  return copies


def associative_recall(steps, words):
  *stored, query, slots = groups(steps, '#$')
  items = [group.words for group in stored]
  assert {group.marker for group in stored} == {'#'} and query.marker == slots.marker == '$'
  assert {len(item) for item in items} == {words} and not any(map(any, slots.words))
  asked = items.index(query.words)
  assert slots.answers == items[asked + 1]
  return asked
