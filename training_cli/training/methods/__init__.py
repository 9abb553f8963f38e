"""Training methods, one file each: networks and losses. What they are called is in ``config.method_registry``."""

from training_cli.training.config.method_registry import MethodEntry, method_entry, methods, register_method
from training_cli.training.config.method_settings import MethodSettings

__all__ = ["MethodEntry", "MethodSettings", "method_entry", "methods", "register_method"]
