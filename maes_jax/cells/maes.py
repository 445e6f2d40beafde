"""The cell of the Memory-Augmented Encoder-Solver: Algorithm 1 of the paper, line by line.

An encoder is this cell without an output, a solver is this cell with one. Each has parameters
of its own; what they share is the memory (paper, section 3).
"""

from collections.abc import Mapping
from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import errors
from maes_jax import memory
from maes_jax.cells import base
from maes_jax.cells import heads
from maes_jax.options import MANY
from maes_jax.options import option


class State(NamedTuple):
  """What the cell carries from one step to the next."""
  hidden: chex.Array  # h_t [H]
  memory: chex.Array  # M_t [W, N]
  attention: chex.Array  # w_t [N]


class Interface(NamedTuple):
  """P_t: what the controller asks of the memory."""
  add: chex.Array  # a_t [W]
  erase: chex.Array  # e_t [W] in (0, 1)
  head: chex.Array  # what the head makes s_t and gamma_t from, see `heads`


ADD_ACTIVATIONS = {'sigmoid': jax.nn.sigmoid, 'linear': lambda a: a}


def interface(
    raw: chex.Array, width: int, add_activation: str, overwrite: bool = False) -> Interface:
  """Splits the interface layer's output [2 W + numbers of the head] into P_t.

  It has no numbers for e_t, [W + numbers of the head], where all is to be written over.
  """
  add, erase, head = jnp.split(raw, [width, width if overwrite else 2 * width])
  return Interface(
      add=ADD_ACTIVATIONS[add_activation](add),
      erase=jnp.ones_like(add) if overwrite else jax.nn.sigmoid(erase), head=head)


# Line 3 writes with w_t, which only line 4 computes. The paper allows both readings: in the order
# printed it writes at w_{t-1} and then moves; by its indices it moves and then writes at w_t.
LINE3 = ('write_first', 'move_first')


class Centred(nn.Module):
  """z W + b that starts at `start` where all of z is `centre`.

  Numbers from 0 to 1 are in the mean 1/2. Round 0 instead, many a ReLU unit would be on for all of
  them, or off and without a gradient for good.
  """
  features: int
  centre: float = 0.
  start: float = 0.

  @nn.compact
  def __call__(self, z: chex.Array) -> chex.Array:
    size = (z.shape[-1], self.features)
    kernel = self.param('kernel', nn.initializers.lecun_normal(), size, jnp.float32)
    first = lambda key, shape, dtype: jnp.asarray(self.start - self.centre * kernel.sum(0), dtype)
    bias = self.param('bias', first, size[1:], jnp.float32)
    return z @ kernel + bias


class Maes(base.Cell):
  """One step of Algorithm 1.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    width: W, word width.
    units: H, controller units.
    shift_range: k, how many addresses attention may move in one step, each way.
    output_hidden: units of a ReLU layer before the output; 0 for none.
    output_centre: first biases of that layer are such that each unit is at `output_start` where all
      that it sees is this.
    output_start: what these units start at, there.
    line3: `write_first` or `move_first`, the two readings of Algorithm 1, line 3.
    add_activation: `sigmoid` or `linear`, for a_t; the paper names none.
    write_bias: first bias of the erase and add vectors, before their activation.
    erase_bias: how much larger that of the erase vector is; positive: what is written starts out
      taking the place of what was there, where it would add up.
    gamma_bias: first bias of gamma, before its softplus.
    walk_bias: first bias of s_t for a step to the next address, before its softmax; positive:
      attention starts out going on by itself. Negative: back, by as much for the address before.
    start_scale: what first weights of s_t, before its softmax, and of the output are multiplied by.
      At 0 attention starts going each way alike, and no answer is likelier than another.
    latch: first weight of each hidden unit on itself; its first bias is minus half of that. Near
      4 the unit adds up what comes in; above, it has two resting points and holds a bit.
    clock: first weight of each hidden unit on the other of its pair, with opposite signs; first
      biases are such that, above 4, the pair goes through four states for good and counts steps.
    noise: standard deviation of what training adds to what goes into each hidden unit at each step,
      so that units learn to hold a bit for good. It grows from 0 as sequences do.
    head_noise: the same of what training adds to each of the head's numbers, so that attention
      learns to move and stay sharp with a margin: what leaks a little is lost in long sequences.
    blind: what it does depends on nothing that it reads, as of a cell that writes over whatever is
      there, or that only finds its way; it has no weights for r_t then.
    overwrite: what it writes takes the place of whatever was there: e_t is 1, and has no weights.
    head: how it addresses, one of `heads.HEADS`: `shift` is the paper's, `content` looks by content
      first, `jump` may go back to address 0 first; `sharp` and `sharp_jump` are `shift` and `jump`
      with a gamma of at least 2, so that attention never spreads. All see M_{t-1}, in both readings
      of line 3.
  """
  width: int = option(10, minimum=1)
  units: int = option(5, minimum=1)
  shift_range: int = option(1, minimum=0, maximum=MANY)
  output_hidden: int = option(0, minimum=0)
  output_centre: float = option(0., minimum=0., maximum=1., initial=True)
  output_start: float = option(0., initial=True)
  line3: str = option('write_first', choices=LINE3)
  add_activation: str = option('sigmoid', choices=tuple(ADD_ACTIVATIONS))
  write_bias: float = option(0., initial=True)
  erase_bias: float = option(0., initial=True)
  gamma_bias: float = option(0., initial=True)
  walk_bias: float = option(0., initial=True)
  start_scale: float = option(1., minimum=0., initial=True)
  latch: float = option(0., minimum=0., initial=True)
  clock: float = option(0., minimum=0., initial=True)
  noise: float = option(0., minimum=0., initial=True)
  head_noise: float = option(0., minimum=0., initial=True)
  blind: bool = option(False)
  overwrite: bool = option(False)
  head: str = option('shift')

  @property
  def reach(self) -> int | None:
    """The shift range where attention moves by shifts alone."""
    return self.shift_range if self._head.by_shifts else None

  @property
  def _head(self) -> heads.Head:
    return errors.pick('head', self.head, heads.HEADS)

  def initial_state(self, addresses: int) -> State:
    """Empty memory M_0 = 0, attention on address 0."""
    return State(
        hidden=jnp.zeros(self.units, jnp.float32),
        memory=jnp.zeros((self.width, addresses), jnp.float32),
        attention=jax.nn.one_hot(0, addresses, dtype=jnp.float32))

  def draw_noise(self, key: chex.PRNGKey, steps: int) -> Mapping | None:
    drawn = {}
    if self.noise:
      drawn['units'] = self.noise * jax.random.normal(key, (steps, self.units), jnp.float32)
    if self.head_noise:
      size = steps, self._head.size(self.width, self.shift_range)
      drawn['head'] = self.head_noise * jax.random.normal(
          jax.random.fold_in(key, 1), size, jnp.float32)
    return drawn or None

  def features(self, state: State) -> chex.Array:
    """The word that the next step reads [W]."""
    return memory.read(state.memory, state.attention)

  @nn.compact
  def __call__(self, state_tm1: State, x_t: chex.Array) -> tuple[State, base.Step]:
    hidden_tm1, memory_tm1, attention_tm1 = state_tm1
    # 1: r_t <- M_{t-1} w_{t-1}
    read_t = memory.read(memory_tm1, attention_tm1)
    # 2: h_t, y_t, P_t <- control(x_t, r_t, h_{t-1})
    z_t = jnp.concatenate([x_t, hidden_tm1, *([] if self.blind else [read_t])])
    hidden_t = nn.sigmoid(self._disturbed('units', self._hidden(z_t, x_t.size)))
    size = self._words + self._head.size(self.width, self.shift_range)
    raw_t = nn.Dense(
        size, name='interface', kernel_init=self._kernel, bias_init=self._bias)(z_t)
    output_t = self.answer(z_t, self.output_hidden)  # A task may need the ReLU layer, section 4.1.
    params_t = interface(raw_t, self.width, self.add_activation, self.overwrite)
    head_t = self._disturbed('head', params_t.head)
    # 4: w_t <- sharpen(conv(w_{t-1}, s_t), gamma_t)
    attention_t = self._head.address(head_t, memory_tm1, attention_tm1)
    # 3: M_t <- M_{t-1} o (1 - e_t w^T) + a_t w^T
    written = attention_t if self.line3 == 'move_first' else attention_tm1
    memory_t = memory.erase_and_add(memory_tm1, written, params_t.erase, params_t.add)
    step = base.Step(output_t, read=attention_tm1[None], write=written[None])
    return State(hidden_t, memory_t, attention_t), step

  def before_output(self, hidden: int) -> nn.Module:
    return Centred(hidden, self.output_centre, self.output_start, name='output_hidden')

  def to_output(self) -> nn.Module:
    kernel = lambda *args: self.start_scale * nn.initializers.lecun_normal()(*args)
    return nn.Dense(self.outputs, name='output', kernel_init=kernel)

  def _hidden(self, z_t, inputs):
    """W_h [x_t, h_{t-1}, r_t] + b_h, with units that start out holding or counting."""
    def kernel(key, shape, dtype):
      drawn = nn.initializers.lecun_normal()(key, shape, dtype)
      return drawn.at[inputs:inputs + self.units].add(self._on_units(dtype))  # [x_t, h_{t-1}, r_t]
    bias = lambda key, shape, dtype: -self._on_units(dtype).sum(0) / 2
    first = {'kernel_init': kernel, 'bias_init': bias} if self.latch or self.clock else {}
    return nn.Dense(self.units, name='hidden', **first)(z_t)

  def _on_units(self, dtype):
    """[H, H] what each hidden unit's first weights on itself and its pair's other have more."""
    quarter = jnp.kron(jnp.eye(self.units // 2, dtype=dtype), jnp.array([[0, 1], [-1, 0]], dtype))
    turn = jnp.pad(quarter, (0, self.units % 2))
    return self.latch * jnp.eye(self.units, dtype=dtype) + self.clock * turn

  @property
  def _words(self) -> int:
    """How many numbers of the interface are of (a, e)."""
    return self.width if self.overwrite else 2 * self.width

  def _disturbed(self, name, numbers):
    """Numbers with the noise of training where there is any."""
    return numbers + self.get_variable('noise', name, 0.)

  def _kernel(self, key, shape, dtype):
    """Weights of (a, e) and the head's numbers to start from."""
    kernel, words = nn.initializers.lecun_normal()(key, shape, dtype), self._words
    if self._head.kernel is None:
      return kernel
    of_head = kernel[:, words:].at[:, self._head.kernel(self.width, self.shift_range)]
    return kernel.at[:, words:].set(of_head.multiply(self.start_scale))

  def _bias(self, unused_key, shape, dtype):
    """Biases of (a, e) and the head's numbers, gamma the last, to start from."""
    of_words = jnp.full(self._words, self.write_bias, dtype).at[self.width:].add(self.erase_bias)
    of_head = jnp.zeros(shape[0] - self._words, dtype)
    if self._head.kernel is not None:
      of_head = of_head.at[self._head.kernel(self.width, self.shift_range)].set(
          heads.walk(self.walk_bias, self.shift_range))
    if self._head.sharpens:
      of_head = of_head.at[-1].set(self.gamma_bias)
    return jnp.concatenate([of_words, of_head])
