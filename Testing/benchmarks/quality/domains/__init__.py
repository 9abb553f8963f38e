"""One network for many contrasts: training, choosing on left-out hospitals, and the check patients."""
