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


def priority_sort(steps, shown, asked):
  stored, slots = groups(steps, '#$')
  assert (stored.marker, slots.marker) == ('#', '$') and not any(map(any, slots.words))
  ranked = sorted(stored.words, key=lambda item: item[-1], reverse=True)
  count = -(-len(ranked) * asked // shown)
  assert slots.answers == [item[:-1] for item in ranked[:count]] + [None] * (len(ranked) - count)
  return [item[-1] for item in stored.words]


def dynamic_ngrams(steps, order):
  """By context counted so far; the answer at a step is about the bit of the next one."""
  first, later = ([(item, due) for control, item, due in steps[a:b]]
                  for a, b in ((0, order), (order, len(steps))))
  assert [control for control, _, _ in steps] == [
      (1, 0), *[(0, 0)] * (order - 1), (0, 1), *[(0, 0)] * (len(later) - 1)]
  assert not any(due for _, due in first)
  bits = [bit for (bit,), _ in (*first[1:], *later[1:])]
  counts = {}
  for t, (_, (estimate,)) in enumerate(later):
    zeros, ones = counts.setdefault(tuple(bits[t:t + order - 1]), [0, 0])
    assert abs(estimate - (ones + .5) / (zeros + ones + 1)) < 1e-6
    if t + order - 1 < len(bits):
      counts[tuple(bits[t:t + order - 1])][int(bits[t + order - 1])] += 1
  return bits
