"""What the tasks ask, worked out again from words in plain Python lists.

A word is a list of 8 bits. An answer is a list of bits, or None for a step that does not count.
"""


def words(sequence, length):
  """The data bits of items 1 ... n; item 0 is the marker."""
  return [[int(bit) for bit in item[2:]] for item in sequence[1:1 + length]]


def answers(task, main, aux):
  """The answer to each item of `aux`, given the words of `main`."""
  return _ANSWERS[task](main, aux)


def _serial(main, aux):
  del aux
  return main


def _reverse(main, aux):
  del aux
  return main[::-1]


def _odd(main, aux):
  del aux
  return main[::2] + [None] * (len(main) // 2)


def _comparison(main, aux):
  return [[int(word == other)] for word, other in zip(main, aux)]


def _equality(main, aux):
  return [None] * (len(main) - 1) + [[int(main == aux)]]


def _prefix(main, aux):
  return [[int(main[:i] == aux[:i])] for i in range(1, 1 + len(main))]


_ANSWERS = {
    'serial_recall': _serial,
    'reverse_recall': _reverse,
    'odd_recall': _odd,
    'sequence_comparison': _comparison,
    'sequence_equality': _equality,
    'hard_equality': _equality,
    'prefix_equality': _prefix,
}
