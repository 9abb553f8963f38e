"""The configuration of a training run: validated settings, from YAML and from the command line."""

from .read import load_config
from .settings import TrainingConfig

__all__ = ["TrainingConfig", "load_config"]
