"""Errors that a user can cause and mend: one line that says what, what is allowed, what to do."""

from collections.abc import Iterable
import difflib
from typing import Any

MOST = 2000  # Characters of an error; its end, which says what to do, is among them.
_LAST = 400


class UserError(ValueError):
  """Its message is the one line a user gets to see."""

  def __str__(self) -> str:
    return line(super().__str__())


def line(text: object, most: int = MOST) -> str:
  """A text as one line that a terminal shows and does not obey: shortened, odd signs spelled out.

  >>> line('two\\nlines')
  'two lines'
  >>> line('an \\x1b[2J escape')
  'an \\\\x1b[2J escape'
  >>> line('x' * 3000, most=20)
  'xxxxxxxxxxxx ... xxxx'
  """
  text = str(text)
  if len(text) > most:
    last = min(_LAST, most // 5)
    text = f'{text[:most - 2 * last]} ... {text[-last:]}'
  words = ' '.join(text.split())
  return ''.join(sign if sign.isprintable() else _spelled(sign) for sign in words)


def _spelled(sign):
  return sign.encode('unicode_escape').decode()


def pick(kind: str, name: str, table):
  """Returns table[name]; an unknown name is an error that lists the known and the closest."""
  if isinstance(name, str) and name in table:
    return table[name]
  said = f'{name!r}' if isinstance(name, str) else shortened(name)
  raise UserError(f'unknown {kind} {said}: it must be one of {", ".join(sorted(table))}'
                  f'{hint(name, table)}')


def of_type(said: str, given: Any, wanted: Any, example: str) -> Any:
  """What was given; an error where it is of another type than `isinstance` wants.

  >>> of_type('the width is', 8, int, 'a whole number')
  8
  """
  if isinstance(given, wanted):
    return given
  raise UserError(f'{said} {shortened(given)}; give {example}')


def hint(name: str, known: Iterable[str]) -> str:
  """The known name that is closest to an unknown one, as the end of an error; '' if none is.

  >>> hint('untis', ['units', 'width'])
  "; did you mean 'units'?"
  """
  close = difflib.get_close_matches(str(name)[:MOST], known, n=1)
  return f'; did you mean {close[0]!r}?' if close else ''


def add(kind: str, name: str, value, table):
  """Puts a value into a table of names; one that is taken or no text is an error."""
  of_type(f'the name of a {kind} is', name, str, 'text')
  if name in table:
    raise UserError(f'{kind} {name!r} is registered already; give it another name')
  table[name] = value


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
