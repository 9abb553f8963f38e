"""Which route of a model for many domains a command is asked for."""
