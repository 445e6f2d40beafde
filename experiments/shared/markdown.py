"""Documents made of records."""

from collections.abc import Iterable, Iterator


def table(columns: str, rows: Iterable[Iterable[str]]) -> Iterator[str]:
  """The lines of a table; `columns` has a bar between any two, and so do the lines."""
  yield from [f'| {columns} |', '|---' * (columns.count('|') + 1) + '|']
  yield from (f'| {" | ".join(row)} |' for row in rows)
