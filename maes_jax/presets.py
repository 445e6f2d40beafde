"""Values that a config leaves open: the model's, the recipe's and the task's."""

from maes_jax.families import resolve  # noqa: F401
