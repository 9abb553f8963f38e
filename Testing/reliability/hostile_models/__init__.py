"""Model folders, archives and weights that lie, made anew each time, by kind."""
