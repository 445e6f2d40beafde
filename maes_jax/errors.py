"""Errors that a user can cause and mend: one line that says what, what is allowed, what to do."""

import difflib
from typing import Any


class UserError(ValueError):
  """Its message is the one line a user gets to see."""


def pick(kind: str, name: str, table):
  """Returns table[name]; an unknown name is an error that lists the known and the closest."""
  if name in table:
    return table[name]
  close = difflib.get_close_matches(name, table, n=1)
  hint = f'; did you mean {close[0]!r}?' if close else ''
  raise UserError(f'unknown {kind} {name!r}: it must be one of {", ".join(sorted(table))}{hint}')


def shortened(value: Any, limit: int = 40) -> str:
  """A value as it is written, cut off where it is too long for a line.

  >>> shortened(10**50)
  '1000000000000000000000000000000000000000...'
  """
  text = _written(value)
  return text if len(text) <= limit else f'{text[:limit]}...'


def _written(value):
  try:
    return ' '.join(repr(value).split())
  except ValueError:  # Python writes no number of more than 4,300 digits.
    return f'a number of {value.bit_length():,} bits'
