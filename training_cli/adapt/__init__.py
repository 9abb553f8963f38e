"""A style fine-tuned on a user's own pairs or volumes, proven on what was kept aside, and refused if not better."""
