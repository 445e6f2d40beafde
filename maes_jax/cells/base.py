"""What every recurrent cell is: a Flax module that holds parameters and computes one time step.

A cell works on one sequence; batch and population axes are `vmap`s further out. Its memory size
`addresses` (N) is an argument of the call that makes a state, never a parameter's shape.
"""

from collections.abc import Callable, Mapping
import functools
import typing
from typing import Any, ClassVar, NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import config
from maes_jax import options
from maes_jax import precision
from maes_jax import shapes
from maes_jax.cells import scan
from maes_jax import phases

State = Any  # A NamedTuple of arrays, one per cell file.


class Step(NamedTuple):
  """What a step shows to the outside; the attention costs nothing where nobody looks at it."""
  output: chex.Array | None  # [Y] logits; None for an encoder
  read: chex.Array | None  # [R, N] attention of each read head; None without a memory
  write: chex.Array | None  # [heads, N] attention of each write head; None without a memory
  memory: chex.Array | None = None  # [W, N] left by the step; only `Model.trace` fills it in


# (state_t, step) -> what is kept of step t.
Collect = Callable[[State, Step], Step]


def collect_step(state_t: State, step: Step) -> Step:
  """Keeps what a step shows by itself."""
  del state_t
  return step


def where(valid_t: chex.Array | None, new: State, old: State) -> State:
  """The new state; in padding the old one. None: there is no padding."""
  if valid_t is None:
    return new
  return jax.tree.map(lambda *leaves: jnp.where(valid_t, *leaves), new, old)


@functools.cache
def _options(cell: type) -> Mapping[str, tuple]:
  """The fields of a cell's class that say by `options.option` what they may be, and their types."""
  found = {name: field for name, field in options.of(cell).items() if 'minimum' in field.metadata}
  hints = typing.get_type_hints(cell) if found else {}
  return {name: (field, hints[name]) for name, field in found.items()}


# By what a cell's class says of its step, the methods that make the step.
_SAID_OF = {'reach': {'__call__'},
            'layer_by_layer': {'__call__', 'answer', 'before_output', 'to_output'}}


class Cell(nn.Module):
  """One recurrent cell; `outputs` is the number of output bits Y, 0 for an encoder.

  Raises:
    UserError: an option is not what its field says that it may be.
  """
  outputs: int = 0
  # A quicker way over the first steps (params, state, inputs, valid, collect, num_steps), if any.
  layer_by_layer: ClassVar[Callable | None] = None

  def __init_subclass__(cls, **options):
    super().__init_subclass__(**options)
    if 'unroll' in vars(cls):  # Who runs a cell says how, and would pass it over.
      raise TypeError(f'{cls.__name__} has an unroll of its own; say what a step does, in '
                      '__call__, and a quicker way over many, in layer_by_layer')
    # What is said of a step is not true of another one, unless it is said again.
    for name, about in _SAID_OF.items():
      said = next(i for i, base in enumerate(cls.__mro__) if name in vars(base))
      if any(not about.isdisjoint(vars(base)) for base in cls.__mro__[:said]):
        setattr(cls, name, None)

  def __post_init__(self):
    for name, (field, kind) in _options(type(self)).items():
      config.checked_option(name, getattr(self, name), field, kind)
    super().__post_init__()

  @property
  def reach(self) -> int | None:
    """How many addresses attention moves in a step at most; None if it can go anywhere."""
    return None

  @classmethod
  def addresses_for(cls, steps: int) -> int:
    """The fewest addresses with which it remembers all of a sequence of so many steps.

    1 for cells whose need does not grow with the sequence, as they choose what they write.
    """
    del steps
    return 1

  def initial_state(self, addresses: int) -> State:
    """The state before the first step, with a memory of `addresses` words."""
    raise NotImplementedError

  def in_ring(self, state: State, ring: chex.Array) -> State:
    """The state before the first step where only the first `ring` [] addresses are there.

    Raises:
      TypeError: the cell cannot leave addresses out.
    """
    del state, ring
    raise TypeError(f'{type(self).__name__} always has all addresses; give it an in_ring, or train '
                    "with ring='whole'")

  def hand_over(self, state: State) -> tuple[Any, Any]:
    """What a cell that goes off duty leaves to the next, and what it keeps to itself.

    Here memory and attention go on to the next; attention is kept, too, and all else. Cells that
    differ in that have a `hand_over` and a `take_over` of their own; tied ones need neither.

    Raises:
      TypeError: the state has no memory or no attention.
    """
    if not (hasattr(state, 'memory') and hasattr(state, 'attention')):
      raise TypeError(f'{type(self).__name__} has no memory and attention to leave to another '
                      'cell; give it a hand_over and a take_over, or make its family tied')
    return (state.memory, state.attention), state._replace(memory=None)

  def take_over(self, handed: Any, own: Any, start: str) -> State:
    """The state in which a cell goes on duty (paper, section 3).

    Args:
      handed: what the cell on duty before left, by `hand_over`.
      own: what this one kept when it was on duty last; else that of its initial state.
      start: whether it goes on from there, one of `phases.STARTS`.
    """
    memory, attention = handed
    if start == phases.RESUME:
      return own._replace(memory=memory)
    fresh = self.initial_state(memory.shape[-1])._replace(memory=memory)
    return fresh if start == phases.RESTART else fresh._replace(attention=attention)

  def draw_noise(self, key: chex.PRNGKey, steps: int) -> Mapping | None:
    """What disturbs so many steps in training, for `unroll`, leaves [T, ...]; None: nothing."""
    del key, steps
    return None

  def features(self, state: State) -> chex.Array:
    """What a cell without outputs shows of its state [F], where Flax wants an answer (`rnn`).

    Raises:
      TypeError: nobody said.
    """
    raise TypeError(f'{type(self).__name__} has outputs={self.outputs} and no features; give it '
                    'outputs of at least 1')

  def answer(self, z_t: chex.Array, hidden: int = 0) -> chex.Array | None:
    """y_t [Y] as logits from z_t, through a ReLU layer of `hidden` units; None for an encoder."""
    if not self.outputs:
      return None
    if hidden:
      z_t = nn.relu(self.before_output(hidden)(z_t))
    return self.to_output()(z_t)

  def before_output(self, hidden: int) -> nn.Module:
    """The layer of so many units."""
    return nn.Dense(hidden, name='output_hidden')

  def to_output(self) -> nn.Module:
    """The layer that makes y_t."""
    return nn.Dense(self.outputs, name='output')

  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, Step]:
    """One time step on the input x_t [X]."""
    raise NotImplementedError

  def unroll(
      self,
      params: Mapping,
      state: State,
      inputs: chex.Array,  # [T, X]
      steps: chex.Array | None = None,  # []
      collect: Collect = collect_step,
      skip_padding: bool = False,
      alone: bool = False,
      noise: Mapping | None = None,  # leaves [T, ...]
  ) -> tuple[State, Step]:
    """Runs the cell over a sequence; padding leaves the state as it was.

    Args:
      params: the cell's parameters; all is computed in their dtype (see `precision`).
      state: the state before the first step.
      inputs: the items of the sequence.
      steps: how many there are, at most T, the others are padding; what is kept of those means
        nothing. None: all.
      collect: what to keep of a step.
      skip_padding: steps beyond the longest sequence of a batch take no time. The result can then
        be differentiated in reverse mode alone, and once.
      alone: the same, for a sequence that shares a batch with none of another length.
      noise: what disturbs the steps, as the collection `noise` of the cell's variables; None:
        nothing does.

    Returns:
      The last state, and of every step what `collect` makes of the state it left and its `Step`.
    """
    shapes.check(inputs=(inputs, 'TX', float), steps=(steps, '', int))
    params, state, inputs = precision.given(params, state, inputs)
    steps = jnp.asarray(len(inputs) if steps is None else steps, jnp.int32)
    steps = jnp.minimum(steps, len(inputs))  # Else a loop would do the last one again.
    inputs = phases.cleared(inputs, steps)
    disturbed = {} if noise is None else {'noise': precision.as_params(noise, params)}
    # Where a sequence is alone, no step that is done is padding.
    valid = None if alone else phases.within(steps, len(inputs))
    num_steps = scan.own(steps) if alone else scan.longest(steps) if skip_padding else None
    if num_steps is not None and self.layer_by_layer is not None and noise is None:
      return self.layer_by_layer(params, state, inputs, valid, collect, num_steps)

    def step(params, state_tm1, scanned):
      x_t, valid_t, disturbed_t = scanned
      state_t, shown = self.apply({'params': params, **disturbed_t}, state_tm1, x_t)
      state_t = where(valid_t, state_t, state_tm1)
      return state_t, collect(state_t, shown)

    return scan.scan(step, params, state, (inputs, valid, disturbed), num_steps)
