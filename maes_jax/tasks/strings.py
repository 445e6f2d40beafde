"""Fifteen tasks on strings of tokens: how well does what was learnt on short ones generalise?

Those of Delétang et al., "Neural Networks and the Chomsky Hierarchy" (ICLR 2023), which trains on
lengths 1 to 40 and scores lengths 41 to 500. An encoder stores a marker and the string, a solver
answers after another marker: one token, e.g. the class of the string, or several. It begins at
address 0; where the answer begins with the end of the string, there. `length` counts the tokens of
the string, markers left out. All is drawn inside compiled programs, also what that paper's code
draws in Python: numbers of any length are arrays of bits, and expressions are written by a stack.
"""

from collections.abc import Callable
import functools
from typing import NamedTuple

import chex
import jax
from jax import lax
import jax.numpy as jnp

from maes_jax import limits
from maes_jax import phases
from maes_jax.items import Tokens
from maes_jax.tasks import episode
from maes_jax.tasks import manipulation
from maes_jax.tasks import recall


class String(NamedTuple):
  """A string and what must be answered; tokens beyond the counts mean nothing."""
  tokens: chex.Array  # [L]
  length: chex.Array  # []
  answers: chex.Array  # [A]
  count: chex.Array  # []


# (key, random tokens [L], length []) -> String
Make = Callable[[chex.PRNGKey, chex.Array, chex.Array], String]


def even_pairs(name: str = 'even_pairs') -> episode.Task:
  """Bits: 0 if the number of 01s and 10s is even, else 1."""
  return _task(name, 2, 2, _even_pairs)


def parity_check(name: str = 'parity_check') -> episode.Task:
  """Bits: 0 if the number of 1s is even, else 1."""
  return _task(name, 2, 2, _parity)


def cycle_navigation(name: str = 'cycle_navigation', cycle: int = 5) -> episode.Task:
  """Moves on a circle, 0 back, 1 stay, 2 on: where does one end who begins at 0?"""
  cycle = limits.size('places on the cycle', cycle, 2)
  return _task(name, 3, cycle, functools.partial(_navigate, cycle=cycle))


def modular_arithmetic(name: str = 'modular_arithmetic', modulus: int = 5) -> episode.Task:
  """Digits with +, - or * between, e.g. 1 + 2 * 3: the value, * first. Of even lengths one less."""
  modulus = limits.size('modulus', modulus, 2)
  return _task(name, modulus + 3, modulus, functools.partial(_arithmetic, modulus=modulus))


def stack_manipulation(name: str = 'stack_manipulation') -> episode.Task:
  """A stack of bits, its top last, then POP (2), PUSH 0 (3) or 1 (4): it from the top, then 2."""
  return _task(name, 5, 3, _stack)


def reverse_string(name: str = 'reverse_string', vocabulary: int = 2) -> episode.Task:
  """The string backwards."""
  return _task(name, vocabulary, vocabulary, _reversed)


def modular_arithmetic_brackets(
    name: str = 'modular_arithmetic_brackets', modulus: int = 5) -> episode.Task:
  """An expression of digits, +, -, brackets and signs, e.g. (-3-(1+4)): its value."""
  modulus = limits.size('modulus', modulus, 2)
  return _task(name, modulus + 4, modulus, functools.partial(_brackets, modulus=modulus))


def solve_equation(name: str = 'solve_equation', modulus: int = 5) -> episode.Task:
  """The same with x in the place of a digit, then = and the value: x."""
  modulus = limits.size('modulus', modulus, 2)
  make = functools.partial(_equation, modulus=modulus)
  return _task(name, modulus + 6, modulus, make, at_least=3)


def duplicate_string(name: str = 'duplicate_string', vocabulary: int = 2) -> episode.Task:
  """The string, twice over.

  To go back to its first token in time, a solver must know the last one when it reads it: a cell
  `/end` goes back to it from where the encoder ended, and may mark it.
  """
  return _task(name, vocabulary, vocabulary, _duplicated, start=phases.RESTART, marks_end=2)


def missing_duplicate(name: str = 'missing_duplicate') -> episode.Task:
  """Bits, twice over, one of them missing (2): which? Of odd lengths a 3 at the end."""
  return _task(name, 4, 2, _missing, at_least=2)


def odds_first(name: str = 'odds_first', vocabulary: int = 2) -> episode.Task:
  """Tokens 1, 3, 5, ..., then 0, 2, 4, ...; counted from 0.

  The last of the odd ones is one of the last two tokens: a cell `/end` may mark both.
  """
  return _task(name, vocabulary, vocabulary, _odds_first, start=phases.RESTART, marks_end=3)


def binary_addition(name: str = 'binary_addition') -> episode.Task:
  """Two binary numbers with a 2 between, lowest bits first: their sum to its highest 1, then 2."""
  make = functools.partial(_of_two_numbers, combine=_sum)
  return _task(name, 3, 3, make, start=phases.RESTART, at_least=3)


def binary_multiplication(name: str = 'binary_multiplication') -> episode.Task:
  """The same: their product."""
  make = functools.partial(_of_two_numbers, combine=_product)
  return _task(name, 3, 3, make, start=phases.RESTART, at_least=3)


def compute_sqrt(name: str = 'compute_sqrt') -> episode.Task:
  """A binary number, highest bit first: its square root, rounded down, in half as many bits."""
  return _task(name, 2, 2, _square_root, start=phases.RESTART)


def bucket_sort(name: str = 'bucket_sort', vocabulary: int = 5) -> episode.Task:
  """The tokens in order."""
  return _task(name, vocabulary, vocabulary, _sorted, start=phases.RESTART)


def _task(name, vocabulary, answers, make, start=phases.HANDOVER, at_least=1, marks_end=0):
  items, answered = Tokens(vocabulary), Tokens(answers)
  ask = functools.partial(
      _ask, make=make, items=items, answers=answered, start=start, marks_end=marks_end)
  return episode.Task(name, answers, ask, items=items, answers=answered, at_least=at_least)


def _ask(key, words, length, *, make, items, answers, start, marks_end):
  """A program of two phases from a string; a third where the end is marked."""
  tokens, count, due, due_count = make(key, words.argmax(-1).astype(jnp.int32), length)
  there, asked = phases.within(count, len(tokens)), phases.within(due_count, len(due))
  nothing = jnp.zeros((len(due), items.width), jnp.float32)
  question = episode.Question(nothing, answers.one_hot(due) * asked[:, None], asked, start)
  program = episode.two_phases(
      items.one_hot(tokens) * there[:, None], count, question, due_count)
  return episode.marking_end(program, marks_end) if marks_end else program


def _one(tokens, length, answer):
  """A string with one answer."""
  return String(tokens, length, jnp.int32(answer)[None], jnp.int32(1))


def _even_pairs(key, tokens, length):
  del key
  # The token changes an even number of times if it ends as it began.
  return _one(tokens, length, tokens[0] != tokens[length - 1])


def _parity(key, tokens, length):
  del key
  return _one(tokens, length, jnp.sum(tokens * phases.within(length, len(tokens))) % 2)


def _navigate(key, tokens, length, *, cycle):
  del key
  moves = (tokens - 1) * phases.within(length, len(tokens))
  return _one(tokens, length, jnp.sum(moves) % cycle)


def _reversed(key, tokens, length):
  del key
  return String(tokens, length, manipulation.backwards(tokens, length), length)


def _duplicated(key, tokens, length):
  del key
  place = jnp.arange(2 * len(tokens), dtype=jnp.int32)
  return String(tokens, length, tokens[place % length], 2 * length)


def _odds_first(key, tokens, length):
  del key
  place, odds = recall.positions(tokens), length // 2
  source = jnp.where(place < odds, 2 * place + 1, 2 * (place - odds))
  return String(tokens, length, tokens[jnp.clip(source, 0, len(tokens) - 1)], length)


def _sorted(key, tokens, length):
  del key
  last = jnp.iinfo(jnp.int32).max
  there = phases.within(length, len(tokens))
  return String(tokens, length, jnp.sort(jnp.where(there, tokens, last)), length)


def _missing(key, tokens, length):
  token_key, key = jax.random.split(key)
  half = length // 2
  bits = jax.random.bernoulli(token_key, jnp.float32(0.5), (len(tokens),)).astype(jnp.int32)
  place = recall.positions(tokens)
  twice = jnp.where(place < 2 * half, bits[place % half], 3)
  gap = jax.random.randint(key, (), 0, 2 * half, jnp.int32)
  return _one(twice.at[gap].set(2), length, twice[gap])


def _arithmetic(key, tokens, length, *, modulus):
  """Digits at even places, operators + - * after the digits in the vocabulary."""
  size, (digit_key, operator_key) = len(tokens), jax.random.split(key)
  digits = jax.random.randint(digit_key, (size,), 0, modulus, jnp.int32)
  operators = jax.random.randint(operator_key, (size,), modulus, modulus + 3, jnp.int32)
  place, length = recall.positions(tokens), length - (length + 1) % 2
  tokens = jnp.where(place % 2 == 0, digits, operators)

  def step(carry, scanned):
    """A sum of terms, of which the last may still grow by factors."""
    total, term = carry
    i, operator, digit = scanned
    begun = jnp.where(operator == modulus + 1, -digit, digit)
    product = operator == modulus + 2
    new = jnp.where(product, total, (total + term) % modulus), jnp.where(
        product, term * digit % modulus, begun)
    return jax.tree.map(lambda one, other: jnp.where(i < length, one, other), new, carry), None

  pairs = place[2::2], tokens[1:-1:2], tokens[2::2]
  (total, term), _ = lax.scan(step, (jnp.int32(0), tokens[0]), pairs)
  return _one(tokens, length, (total + term) % modulus)


def _stack(key, tokens, length):
  size_key, bit_key, action_key = jax.random.split(key, 3)
  size, place = len(tokens), recall.positions(tokens)
  given = jax.random.randint(size_key, (), 1, jnp.maximum(length, 2), jnp.int32)
  bits = jax.random.randint(bit_key, (size,), 0, 2, jnp.int32)
  actions = jax.random.randint(action_key, (size,), 2, 5, jnp.int32)
  tokens = jnp.where(place < given, bits, actions)

  def step(carry, scanned):
    stack, top = carry
    i, action = scanned
    acts = (i >= given) & (i < length)
    pushes = acts & (action > 2)
    stack = jnp.where(pushes, stack.at[top].set(action - 3), stack)
    return (stack, jnp.where(acts, jnp.where(pushes, top + 1, jnp.maximum(top - 1, 0)), top)), None

  (stack, top), _ = lax.scan(step, (jnp.where(place < given, bits, 0), given), (place, tokens))
  place = jnp.arange(size + 1, dtype=jnp.int32)
  answers = jnp.where(place < top, stack[jnp.maximum(top - 1 - place, 0)], 2)
  return String(tokens, length, answers, top + 1)


# --- Numbers of any length: arrays of bits.

_COUNTED = 24  # Bits of a number that is drawn at once.


def _number(key, length, size):
  """[size] bits of a number from 1 to 2^length - 1, all as likely, its lowest first."""
  low_key, high_key = jax.random.split(key)
  place = jnp.arange(size, dtype=jnp.int32)
  # That all of more than 24 bits are 0 is left to chance.
  smallest = jnp.where(length <= _COUNTED, 1, 0)
  low = jax.random.randint(
      low_key, (), smallest, 1 << jnp.minimum(length, _COUNTED), jnp.int32)
  high = jax.random.bernoulli(high_key, jnp.float32(0.5), (size,)).astype(jnp.int32)
  bits = jnp.where(place < _COUNTED, low >> jnp.minimum(place, _COUNTED) & 1, high)
  return jnp.where(place < length, bits, 0)


def _of_two_numbers(key, tokens, length, *, combine):
  size, (cut_key, first_key, second_key) = len(tokens), jax.random.split(key, 3)
  cut = jax.random.randint(cut_key, (), 1, length - 1, jnp.int32)
  first = _number(first_key, cut, size)
  second = _number(second_key, length - 1 - cut, size)
  place = recall.positions(tokens)
  shown = jnp.where(place < cut, first, jnp.where(place == cut, 2, jnp.roll(second, cut + 1)))
  found = combine(first, second)
  count = jnp.max(jnp.where(found == 1, place + 1, 0))
  place = jnp.arange(size + 1, dtype=jnp.int32)
  return String(shown, length, jnp.where(place == count, 2, jnp.pad(found, (0, 1))), count + 1)


def _sum(first, second):
  return _added(first, second)[0]


def _added(first, second, carry=0):
  """Bits [S] of a sum, the lowest first, and the bit carried out of them.

  Carries are found at once: each place makes one, passes one on or stops it.
  """
  makes, passes = first & second, first | second
  makes = makes.at[0].set(jnp.where(carry, passes[0], makes[0]))
  join = lambda low, high: (high[0] | (high[1] & low[0]), high[1] & low[1])
  out, _ = lax.associative_scan(join, (makes, passes))
  return first ^ second ^ jnp.concatenate([jnp.int32(carry)[None], out[:-1]]), out[-1]


def _product(first, second):
  """Bits of a product that fits: sums of bits by place, then carries from the lowest on."""
  size = len(first)
  sums = jnp.convolve(jnp.float32(first), jnp.float32(second))[:size].astype(jnp.int32)

  def step(carry, at_place):
    return (carry + at_place) >> 1, (carry + at_place) & 1

  return lax.scan(step, jnp.int32(0), sums)[1]


def _square_root(key, tokens, length):
  """Digit by digit, as on paper: two more bits of the number make one more of the root.

  With the rest r and the root q so far: if 4 r + (two bits) >= 4 q + 1, the next bit is 1.
  """
  size, steps = len(tokens), -(-len(tokens) // 2)
  place = recall.positions(tokens)
  lowest_first = _number(key, length, size)
  shown = lowest_first[jnp.clip(length - 1 - place, 0)]
  padded = jnp.pad(jnp.where(place < length, shown, 0), (1, 2))
  begin = 1 - length % 2  # An odd number of bits begins with a 0.

  def step(carry, i):
    rest, root = carry
    two = lax.dynamic_slice(padded, (begin + 2 * i,), (2,))
    rest = jnp.concatenate([two[::-1], rest[:-2]])
    tried = jnp.concatenate([jnp.array([1, 0], jnp.int32), root[:-2]])
    less, fits = _added(rest, 1 - tried, 1)  # The difference, in two's complement.
    root = jnp.concatenate([fits[None], root[:-1]])
    return (jnp.where(fits, less, rest), root), fits

  nothing = jnp.zeros(steps + 3, jnp.int32)
  _, answers = lax.scan(step, (nothing, nothing), jnp.arange(steps, dtype=jnp.int32))
  return String(shown, length, answers, (length + 1) // 2)


# --- Expressions with brackets.


def _brackets(key, tokens, length, *, modulus):
  tokens = _expression(key, length, len(tokens), modulus)
  return _one(tokens, length, _value(tokens, length, modulus))


def _equation(key, tokens, length, *, modulus):
  """An expression of two tokens less; x is the first digit from a random place on, all round."""
  expression_key, x_key = jax.random.split(key)
  size, short = len(tokens), length - 2
  tokens = _expression(expression_key, short, size, modulus)
  value = _value(tokens, short, modulus)
  place = recall.positions(tokens)
  begin = jax.random.randint(x_key, (), 0, short, jnp.int32)
  is_digit = (tokens < modulus) & (place < short)
  x = jnp.argmin(jnp.where(is_digit, (place - begin) % short, size))
  solution = tokens[x]
  tokens = tokens.at[x].set(modulus + 4).at[short].set(modulus + 5).at[short + 1].set(value)
  return _one(tokens, length, solution)


def _expression(key, length, size, modulus):
  """[L] tokens: digits, then + - ( ) in the vocabulary.

  d, -d, (d) or (-d) of up to 4 tokens; of more (left op right), with a length of left that is as
  likely as any other. What is still to be written lies on a stack: tokens, and expressions by minus
  their length. Each of its entries will make a token at least, so that it never holds more than L.
  """
  plus, minus, opening, closing = range(modulus, modulus + 4)
  pushed = 5

  def entries(length, digit, operator, left):
    """What an expression consists of, the last first, padded to 5; and how many."""
    right = length - 3 - left
    forms = jnp.array([
        [digit, 0, 0, 0, 0], [digit, minus, 0, 0, 0], [closing, digit, opening, 0, 0],
        [closing, digit, minus, opening, 0], [closing, -right, operator, -left, opening]])
    form = jnp.clip(length, 1, pushed) - 1
    return forms[form], form + 1

  def step(carry, numbers):
    stack, top, written, count = carry
    entry = stack[jnp.maximum(top - 1, 0)]
    long = jnp.maximum(-entry - 4, 1).astype(jnp.uint32)
    new, more = entries(-entry, jnp.int32(numbers[0] % modulus), plus + jnp.int32(numbers[1] % 2),
                        1 + jnp.int32(numbers[2] % long))
    expands, writes = (top > 0) & (entry < 0), (top > 0) & (entry >= 0)
    longer = lax.dynamic_update_slice(stack, new, (jnp.maximum(top - 1, 0),))
    return (jnp.where(expands, longer, stack),
            top - 1 * writes + (more - 1) * expands,
            jnp.where(writes, written.at[count].set(entry), written), count + writes), None

  stack = jnp.zeros(size + pushed, jnp.int32).at[0].set(-length)
  start = stack, jnp.int32(1), jnp.zeros(size, jnp.int32), jnp.int32(0)
  numbers = jax.random.bits(key, (2 * size, 3), jnp.uint32)
  (_, _, written, _), _ = lax.scan(step, start, numbers)
  return written


def _value(tokens, length, modulus):
  """The value of an expression: the sum of its digits, each with its sign.

  `outer` holds, by depth, the sign that a bracket was opened with, `sign` that of the next digit.
  A minus after a digit or a closing bracket is between two terms, any other turns the sign over.
  """
  plus, minus, opening, closing = range(modulus, modulus + 4)

  def step(carry, scanned):
    total, sign, outer, depth, ended = carry
    i, token = scanned
    inside = outer[depth]
    digit, opens, closes = token < modulus, token == opening, token == closing
    after_minus = jnp.where(ended, -inside, -sign)
    new_sign = jnp.where(token == plus, inside, jnp.where(token == minus, after_minus, sign))
    new = (total + sign * token * digit, new_sign,
           jnp.where(opens, outer.at[depth + 1].set(sign), outer),
           depth + jnp.int32(opens) - jnp.int32(closes), digit | closes)
    return jax.tree.map(lambda one, other: jnp.where(i < length, one, other), new, carry), None

  start = (jnp.int32(0), jnp.int32(1), jnp.ones(len(tokens) + 1, jnp.int32), jnp.int32(0),
           jnp.bool_(False))
  (total, *_), _ = lax.scan(step, start, (recall.positions(tokens), tokens))
  return total % modulus


TASKS = (even_pairs(), parity_check(), cycle_navigation(), modular_arithmetic(),
         stack_manipulation(), reverse_string(), modular_arithmetic_brackets(), solve_equation(),
         duplicate_string(), missing_duplicate(), odds_first(), binary_addition(),
         binary_multiplication(), compute_sqrt(), bucket_sort())
