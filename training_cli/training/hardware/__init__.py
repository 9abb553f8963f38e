"""What the device can train within the budget: measured, chosen and said before a training starts."""
