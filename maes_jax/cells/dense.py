"""Dense layers in a scan whose gradients are added up once, for all steps together."""

import chex
from flax import linen as nn
from flax import traverse_util
import jax
import jax.numpy as jnp

# Collections of variables: what is added to the layers' results, and what the layers saw.
ADDED, SEEN = 'perturbations', 'seen'


class Dense(nn.Dense):
  """y = W z + b for a vector z [X], called once in a step.

  It shows what a gradient needs: z, if the collection `SEEN` is mutable, and through zeros [Y]
  that it adds, if the collection `ADDED` is there, the derivative of y.
  """

  def __call__(self, z: chex.Array) -> chex.Array:
    self.sow(SEEN, 'z', z, reduce_fn=lambda _, new: new)
    return self.perturb('y', super().__call__(z), collection=ADDED)


def without(params, added):
  """The parameters, flat by path, that belong to none of the layers of the collection `ADDED`."""
  layers = {path[:-1] for path in traverse_util.flatten_dict(added)}
  return {path: leaf for path, leaf in traverse_util.flatten_dict(params).items()
          if path[:-1] not in layers}


def gradients(params, seen, d_added):
  """The gradients, flat by path, of all layers from z_t [T, X] and dy_t [T, Y] of every step."""
  flat, z = traverse_util.flatten_dict(params), traverse_util.flatten_dict(seen)
  result = {}
  for (*layer, _), d_y in traverse_util.flatten_dict(d_added).items():
    kernel, bias = (*layer, 'kernel'), (*layer, 'bias')
    result[kernel] = of_kernel(flat[kernel], z[(*layer, 'z')], d_y)
    if bias in flat:
      # db = sum_t dy_t
      result[bias] = d_y.sum(0)
  return result


@jax.custom_batching.custom_vmap
def of_kernel(kernel, z, d_y):
  """dW [X, Y] from z [T, X] and dy [T, Y], summed over all that share the kernel."""
  del kernel  # It only tells who shares it.
  return _sum_over_steps(z, d_y)


def _sum_over_steps(z, d_y):
  # dW = sum_t z_t dy_t^T
  return z.T @ d_y


@of_kernel.def_vmap
def _of_shared_kernel(size, batched, kernel, *factors):
  """One product for a whole batch [B, T, ...]; JAX's own would add up the kernels of B products."""
  kernel_batched, *factors_batched = batched
  if kernel_batched:
    axes = [0 if is_batched else None for is_batched in factors_batched]
    return jax.vmap(_sum_over_steps, axes, axis_size=size)(*factors), True
  rows = [_rows(*of_factor, size) for of_factor in zip(factors, factors_batched)]
  return of_kernel(kernel, *rows), False


def _rows(factor, batched, size):
  """The steps of all sequences [B T, ...]."""
  whole = factor if batched else jnp.broadcast_to(factor, (size, *factor.shape))
  return whole.reshape(-1, factor.shape[-1])
