"""What holds for all tests: one platform, strict shapes, quick compiles."""

import jax

# The same numbers on every machine, with or without an accelerator.
jax.config.update('jax_platforms', 'cpu')
# [3] + [2, 3] is more often a forgotten axis than meant.
jax.config.update('jax_numpy_rank_promotion', 'raise')
# Programs here run for milliseconds but compile for seconds; unoptimised ones compile in half.
jax.config.update('jax_disable_most_optimizations', True)
