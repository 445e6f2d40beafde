"""Unlucky and hostile surroundings; a kind is a module with a `HEAD` and `run(folder)`."""

from types import ModuleType

from . import hostile
from . import moved
from . import outputs
from . import stray

# By the name of its record.
KINDS: dict[str, ModuleType] = {
    'moved': moved, 'hostile': hostile, 'stray': stray, 'outputs': outputs}
