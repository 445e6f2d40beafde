"""The tasks on strings worked out again in plain Python: what must be answered to tokens."""

import itertools
import math


def even_pairs(tokens):
  return [sum(a != b for a, b in itertools.pairwise(tokens)) % 2]


def parity_check(tokens):
  return [tokens.count(1) % 2]


def cycle_navigation(tokens):
  place = 0
  for token in tokens:
    place = (place + (-1, 0, 1)[token]) % 5
  return [place]


def modular_arithmetic(tokens):
  assert len(tokens) % 2 == 1
  return [eval(_text(tokens, '01234+-*')) % 5]


def stack_manipulation(tokens):
  stack = []
  for i, token in enumerate(tokens):
    if token < 2:
      assert i == len(stack), 'the stack comes first'
      stack.append(token)
  assert stack
  for token in tokens[len(stack):]:
    assert token >= 2
    if token == 2:
      stack = stack[:-1]
    else:
      stack.append(token - 3)
  return [*stack[::-1], 2]


def reverse_string(tokens):
  return tokens[::-1]


def modular_arithmetic_brackets(tokens):
  return [eval(_text(tokens, '01234+-()')) % 5]


def solve_equation(tokens):
  left, right = _text(tokens, '01234+-()x=').split('=')
  assert left.count('x') == 1 and len(right) == 1
  return [x for x in range(5) if eval(left.replace('x', str(x))) % 5 == int(right)]


def duplicate_string(tokens):
  return tokens + tokens


def missing_duplicate(tokens):
  half = len(tokens) // 2
  assert tokens[2 * half:] == [3] * (len(tokens) % 2)
  first, second = tokens[:half], tokens[half:2 * half]
  assert (first + second).count(2) == 1
  return [b if a == 2 else a for a, b in zip(first, second, strict=True) if a != b]


def odds_first(tokens):
  return tokens[1::2] + tokens[0::2]


def binary_addition(tokens):
  return _lowest_first(sum(_numbers(tokens)))


def binary_multiplication(tokens):
  return _lowest_first(math.prod(_numbers(tokens)))


def compute_sqrt(tokens):
  number = int(''.join(map(str, tokens)), 2)
  assert number > 0
  return [int(bit) for bit in f'{math.isqrt(number):b}'.zfill(math.ceil(len(tokens) / 2))]


def bucket_sort(tokens):
  return sorted(tokens)


def _text(tokens, symbols):
  return ''.join(symbols[token] for token in tokens)


def _numbers(tokens):
  cut = tokens.index(2)
  found = [int(''.join(map(str, bits[::-1])), 2) for bits in (tokens[:cut], tokens[cut + 1:])]
  assert all(found), 'no number is 0'
  return found


def _lowest_first(number):
  return [int(bit) for bit in f'{number:b}'[::-1]] + [2]
