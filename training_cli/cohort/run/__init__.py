"""A command's work on many volumes: what each is, what has to be done, who does it, and the manifest of it all."""
