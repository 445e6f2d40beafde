"""The Linear Recurrent Unit, a cell without a memory.

Source: Orvieto et al., Resurrecting recurrent neural networks for long sequences, 2023, section 3
and appendix A.
"""

import math

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from maes_jax import errors
from maes_jax import precision
from maes_jax.cells import residual
from maes_jax.options import option


def update(
    state_tm1: chex.Array,  # [2, S]
    nu: chex.Array,  # [S]
    theta: chex.Array,  # [S]
    gamma: chex.Array,  # [S]
    driven: chex.Array,  # B u_t [2, S]
) -> chex.Array:
  """x_t [2, S], real and imaginary parts: turned, a little nearer to 0, and driven."""
  radius, angle = jnp.exp(-jnp.exp(nu)), jnp.exp(theta)
  real, imaginary = radius * jnp.cos(angle), radius * jnp.sin(angle)
  turned = jnp.stack([real * state_tm1[0] - imaginary * state_tm1[1],
                      imaginary * state_tm1[0] + real * state_tm1[1]])
  return turned + jnp.exp(gamma)[None] * driven


class Lru(residual.Residual):
  """One step of blocks of a linear recurrence of complex numbers and a gated linear unit.

  Attributes:
    outputs: Y, output bits; 0 for an encoder.
    units: D, numbers that go from block to block.
    layers: how many blocks.
    states: S, complex numbers that a block carries.
    min_radius, max_radius: between these all |lambda| are at first.
  """
  states: int = option(12, minimum=1)
  min_radius: float = option(0.9, minimum=0., maximum=1., initial=True)
  max_radius: float = option(0.999, minimum=0., maximum=1., initial=True)

  def __post_init__(self):
    super().__post_init__()
    if self.min_radius > self.max_radius:
      raise errors.UserError(f'min_radius is {self.min_radius} and max_radius {self.max_radius}; '
                             'give a min_radius of at most max_radius')

  def first(self) -> precision.Wide:
    """x_0 = 0 [2, S], real and imaginary parts: not every device has complex numbers."""
    return precision.Wide(jnp.zeros((2, self.states), jnp.float32))

  def block(self, name, state_tm1, z_t):
    # x_t = Lambda x_{t-1} + exp(gamma) o (B u_t), Lambda = exp(-exp(nu) + i exp(theta))
    nu = self.param(f'{name}_nu', self._nu, (self.states,))
    theta = self.param(f'{name}_theta', self._theta, (self.states,))
    gamma = self.param(f'{name}_gamma', lambda key: _gamma(nu))
    driven = nn.Dense(2 * self.states, use_bias=False, name=f'{name}_b')(z_t).reshape(2, -1)
    state_t = update(precision.wide(state_tm1), *map(
        precision.at_least_single, (nu, theta, gamma, driven)))
    # y_t = Re(C x_t) + d o u_t; the kernel holds Re(C) and -Im(C)
    skip = self.param(f'{name}_d', nn.initializers.normal(1.), (self.units,), jnp.float32)
    to_y = nn.Dense(self.units, use_bias=False, name=f'{name}_c')
    y_t = to_y(state_t.ravel().astype(z_t.dtype)) + skip * z_t
    # GLU(y) = (W_1 y + b_1) o sigma(W_2 y + b_2), after GELU
    linear, gate = jnp.split(nn.Dense(2 * self.units, name=f'{name}_glu')(nn.gelu(y_t)), 2)
    return precision.Wide(state_t), linear * nn.sigmoid(gate)

  def _nu(self, key, shape):
    """Evenly spread over the ring between both radii: |lambda|^2 is uniform."""
    square = jax.random.uniform(key, shape, jnp.float32, self.min_radius**2, self.max_radius**2)
    return jnp.log(-0.5 * jnp.log(jnp.clip(square, 1e-6, 1 - 1e-6)))

  def _theta(self, key, shape):
    return jnp.log(jax.random.uniform(key, shape, jnp.float32, 1e-3, 2 * math.pi))


def _gamma(nu):
  """exp(gamma)^2 = 1 - |lambda|^2, so that the state neither grows nor fades."""
  return 0.5 * jnp.log(-jnp.expm1(-2 * jnp.exp(nu)))
