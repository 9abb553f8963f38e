"""This engine beside the plain way of running and training the same networks."""
