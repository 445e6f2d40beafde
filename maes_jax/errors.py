"""Errors that a user can cause and mend: one line that says what, what is allowed, what to do."""

import difflib


class UserError(ValueError):
  """Its message is the one line a user gets to see."""


def pick(kind: str, name: str, table):
  """Returns table[name]; an unknown name is an error that lists the known and the closest."""
  if name in table:
    return table[name]
  close = difflib.get_close_matches(name, table, n=1)
  hint = f'; did you mean {close[0]!r}?' if close else ''
  raise UserError(f'unknown {kind} {name!r}: it must be one of {", ".join(sorted(table))}{hint}')
