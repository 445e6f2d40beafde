"""An error is one line that a terminal shows, whatever its words were made of."""

import pytest

from maes_jax import errors


@pytest.mark.parametrize('text, shown', [
    ('a\n  b', 'a b'), ('\x1b]0;title\x07', '\\x1b]0;title\\x07'),
    ('\u202ereversed', '\\u202ereversed'),
    ('ü 漢', 'ü 漢'), ('\ud800', '\\ud800'), ('', '')], ids=ascii)
def test_signs(text, shown):
  assert str(errors.UserError(text)) == shown


def test_a_long_one_keeps_its_start_and_what_to_do():
  text = str(errors.UserError('x is ' + 'y' * 20_000_000 + '; use another'))
  assert text.startswith('x is yyy')
  assert text.endswith('yyy; use another')
  assert len(text) < 1.01 * errors.MOST


def test_an_endless_name_is_looked_up_at_once():
  with pytest.raises(errors.UserError, match='unknown model'):
    errors.pick('model', 'maes' * 5_000_000, {'maes': 1})
