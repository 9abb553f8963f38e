"""How far a translation can be trusted: the bound of its error, and the verdict in words."""
