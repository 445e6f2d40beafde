"""Interval functions hold the exact result, by an arithmetic of any precision (FLINT's arb)."""

import flint
import numpy as np
import pytest

from maes_jax.certificates import intervals
from maes_jax.certificates.intervals import Interval

CASES = 100_000
BITS = 120  # 2^-120 is nothing beside what float64 rounds.


@pytest.fixture(autouse=True)
def _precision():
  before, flint.ctx.prec = flint.ctx.prec, BITS
  yield
  flint.ctx.prec = before


def numbers(random, size, largest=300.):
  """Huge, tiny, plain, negative and zero ones, and powers of two, at which rounding changes."""
  sign = random.choice([-1., 1.], size)
  exponents = random.choice([1., min(10., largest), largest], size) * random.uniform(-1, 1, size)
  plain = random.normal(size=size)
  special = random.choice([0., 1., 2.**-1022, 5e-324, 2.**-53, 1 + 2.**-52], size)
  kinds = sign * 2.**exponents, plain, sign * special, 2.**np.trunc(exponents)
  return np.choose(random.integers(0, len(kinds), size), kinds)


def some(random, size=CASES, largest=300.):
  """Intervals, a third of them of equal ends, and numbers in them: their ends and between."""
  one, other = numbers(random, size, largest), numbers(random, size, largest)
  other = np.where(random.random(size) < 1 / 3, one, other)
  lo, hi = np.minimum(one, other), np.maximum(one, other)
  share = random.choice([0., 1., .5, .1], size)
  inside = np.clip(lo * (1 - share) + hi * share, lo, hi)
  return Interval(lo, hi), inside


def assert_holds(found, exact):
  """Every exact result, an arb, is between the bounds."""
  assert np.all(found.lo <= found.hi)
  for lo, value, hi in zip(found.lo.tolist(), exact, found.hi.tolist(), strict=True):
    if value < lo or value > hi:  # Of all numbers that the exact one may be.
      raise AssertionError(f'{value} is not in [{lo!r}, {hi!r}]')


def exactly(function, *values):
  """Case by case; floats are exact, and results to far more digits than theirs."""
  found = [function(*map(flint.arb, case)) for case in zip(*(part.tolist() for part in values))]
  assert min(value.rel_accuracy_bits() for value in found) > 80
  return found


OPERATIONS = {
    'add': lambda x, y: x + y, 'subtract': lambda x, y: x - y, 'multiply': lambda x, y: x * y}


@pytest.mark.parametrize('name', OPERATIONS)
def test_operations(name):
  random, operation = np.random.default_rng(0), OPERATIONS[name]
  (x, in_x), (y, in_y) = some(random), some(random)
  assert_holds(operation(x, y), exactly(operation, in_x, in_y))


def test_operations_with_numbers():
  random = np.random.default_rng(1)
  (x, in_x), plain = some(random), numbers(random, CASES)
  assert_holds(plain - x, exactly(lambda p, x: p - x, plain, in_x))
  assert_holds(plain * x + plain, exactly(lambda p, x: p * x + p, plain, in_x))


def _sigmoid(x):
  return 1 / (1 + (-x).exp())


FUNCTIONS = {  # The largest exponent of two: beyond it the exact result has no end of digits.
    'sigmoid': (_sigmoid, 9.9), 'softplus': (lambda x: x.exp().log1p(), 9.9),
    'exp': (lambda x: x.exp(), 9.4), 'relu': (lambda x: x.max(0), 300.)}


@pytest.mark.parametrize('name', FUNCTIONS)
def test_functions(name):
  exact, largest = FUNCTIONS[name]
  x, inside = some(np.random.default_rng(2), largest=largest)
  assert_holds(getattr(intervals, name)(x), exactly(exact, inside))


def test_logarithms():
  random = np.random.default_rng(3)
  x, inside = some(random)
  x, inside = Interval(abs(x.lo) + 5e-324, abs(x.lo) + 5e-324), abs(x.lo) + 5e-324
  assert_holds(intervals.log(x), exactly(lambda x: x.log(), inside))
  wide = Interval(x.lo / 2 + 5e-324, x.hi)
  assert_holds(intervals.log(wide), exactly(lambda x: x.log(), inside))


@pytest.mark.parametrize('name', ['sigmoid', 'softplus'])
def test_functions_far_out_are_between_their_limits(name):
  x = Interval(np.array([-1e308, -1e5, 1e4]), np.array([-1e4, 1e5, 1e308]))
  found = getattr(intervals, name)(x)
  top = {'sigmoid': np.array([1e-300, 1, 1]), 'softplus': np.array([1e-300, 1e5, 1e308])}[name]
  assert np.all(found.lo >= 0)
  assert np.all(found.lo <= found.hi)
  assert np.all(found.hi <= top * (1 + 1e-9))
  assert np.all(found.hi >= np.where(top < 1, 0, top))


def test_overflow_holds_everything_or_nothing():
  with np.errstate(over='ignore'):
    found = intervals.exp(Interval(np.array([700.]), np.array([1e5])))
  assert found.hi == np.inf
  assert found.lo < np.exp(700.)
  unknown = Interval(np.array([np.nan]), np.array([np.nan]))
  everything = Interval(np.array([-np.inf]), np.array([np.inf]))
  assert not everything.holds(unknown)
  assert not unknown.holds(Interval(np.zeros(1), np.zeros(1)))


def test_affine():
  """Sums of 3 to 12 products that cancel, of weights of all sizes."""
  random, rows, outputs = np.random.default_rng(4), 50, 100
  for terms in (1, 3, 12, 40):
    kernel = numbers(random, terms * outputs, 20.).reshape(terms, outputs)
    bias = numbers(random, outputs, 20.)
    x, inside = some(random, rows * terms, 20.)
    x, inside = Interval(*(part.reshape(rows, terms) for part in (x.lo, x.hi))), inside.reshape(
        rows, terms)
    if terms > 1:  # The last term takes away what the others add up to, all but a little.
      kernel[-1] = -(inside[0, :-1] @ kernel[:-1])
      inside[:, -1] = x.lo[:, -1] = x.hi[:, -1] = 1.
    found = intervals.affine(x, kernel, bias)
    exact = flint.arb_mat(inside.tolist()) * flint.arb_mat(kernel.tolist())
    sums = [exact[row, column] + flint.arb(bias[column]) for row in range(rows)
            for column in range(outputs)]
    assert_holds(Interval(found.lo.ravel(), found.hi.ravel()), sums)
    assert np.all(found.hi - found.lo <= 1e-9 * (abs(x.lo) + abs(x.hi) + 1e-300).max() * (
        abs(kernel).sum() + abs(bias).max()) + (x.hi - x.lo) @ abs(kernel))


def test_affine_at_the_ends_that_make_it_largest():
  random = np.random.default_rng(5)
  x, _ = some(random, 2000 * 5, 20.)
  x = Interval(x.lo.reshape(-1, 5), x.hi.reshape(-1, 5))
  kernel, bias = random.normal(size=(5, 10)), random.normal(size=10)
  found = intervals.affine(x, kernel, bias)
  for ends, bound in ((x.lo, x.hi), 'lo'), ((x.hi, x.lo), 'hi'):
    extreme = np.where(kernel[None] > 0, ends[0][..., None], ends[1][..., None])  # [rows, 5, 10]
    exact = [sum((flint.arb(value) * flint.arb(weight) for value, weight in zip(column, weights)),
                 flint.arb(float(b))) for row in extreme.transpose(0, 2, 1).tolist()
             for column, weights, b in zip(row, kernel.T.tolist(), bias)]
    limits = getattr(found, bound).ravel().tolist()
    assert all(limit <= value if bound == 'lo' else value <= limit
               for limit, value in zip(limits, exact, strict=True))


def test_hull_over_and_stack():
  parts = [Interval(np.array([0., 2.]), np.array([1., 3.])),
           Interval(np.array([-1., 5.]), np.array([.5, 6.]))]
  hull = intervals.hull(*parts, 4.)
  np.testing.assert_array_equal([hull.lo, hull.hi], [[-1, 2], [4, 6]])
  np.testing.assert_array_equal(intervals.stack(*parts).lo, [0, 2, -1, 5])
  whole = intervals.stack(*(part[None] for part in parts)).over(0)
  assert whole.holds(parts[0])
  assert whole.holds(parts[1])
  assert not parts[0].holds(whole)
