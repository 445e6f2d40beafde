"""How this library compiles: `jax.jit` with what the platform is known to need."""

import functools

import jax

from maes_jax import xla

xla.ask()

_CPU_OPTIONS: dict[str, str | int] = {
    # XLA:CPU hands some reductions of a backward pass to a library path that is 5 to 7 times slower
    # from some 16 models in parallel on. This turns it off.
    'xla_cpu_experimental_ynn_fusion_type': '',
    # LLVM's levels 2 and 3 take twice as long to compile. MAES trains and tests faster without
    # them; the NTM trains some 10 % slower.
    'xla_backend_optimization_level': 1,
}


def jit(function, **options):
  """`jax.jit` with the compiler options of the default device's platform."""
  return jax.jit(function, compiler_options=_compiler_options(jax.default_backend()), **options)


@functools.cache
def _compiler_options(platform: str) -> dict[str, str | int]:
  if platform != 'cpu':
    return {}
  try:  # An option that a jaxlib does not know is an error at compile time.
    jax.jit(lambda x: x + 1, compiler_options=_CPU_OPTIONS)(0.)
  except jax.errors.JaxRuntimeError:
    return {}
  return _CPU_OPTIONS
