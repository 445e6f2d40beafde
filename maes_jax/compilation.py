"""How this library compiles: `jax.jit` with what the platform is known to need."""

import functools

import jax

from maes_jax import xla

xla.ask()

_LEVEL = 'xla_backend_optimization_level'
_CPU_OPTIONS: dict[str, str | int] = {
    # XLA:CPU hands some reductions of a backward pass to a library path that is 5 to 7 times slower
    # from some 16 models in parallel on. This turns it off.
    'xla_cpu_experimental_ynn_fusion_type': '',
    # LLVM's levels 2 and 3 take twice as long to compile. MAES trains and tests faster without
    # them; the NTM trains some 10 % slower.
    _LEVEL: 1,
}
# A loop of a recurrence launches some twenty small kernels a step. As part of a graph it launches
# them from the GPU, and does not ask the host whether there is another step.
_GPU_OPTIONS: dict[str, str | int] = {
    'xla_gpu_enable_command_buffer':
        'FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,DYNAMIC_SLICE_FUSION,WHILE,CONDITIONAL'}


def jit(function, **options):
  """`jax.jit` with the compiler options of the default device's platform."""
  plain = jax.config.read('jax_disable_most_optimizations')
  return jax.jit(
      function, compiler_options=_compiler_options(jax.default_backend(), plain), **options)


@functools.cache
def _compiler_options(platform: str, plain: bool) -> dict[str, str | int]:
  """Ours, as far as this jaxlib knows them; who asks JAX for `plain` programs gets such ones."""
  known = {'cpu': _CPU_OPTIONS, 'gpu': _GPU_OPTIONS}.get(platform, {})
  options = {name: value for name, value in known.items() if not plain or name != _LEVEL}
  try:  # An option that a jaxlib does not know is an error at compile time.
    jax.jit(lambda x: x + 1, compiler_options=options)(0.)
  except jax.errors.JaxRuntimeError:
    return {}
  return options
