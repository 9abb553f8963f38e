"""Help where it is needed, and keys for what is done most."""
