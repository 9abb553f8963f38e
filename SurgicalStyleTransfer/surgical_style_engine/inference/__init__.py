"""A volume through a network: its translation, previews of single slices, and its way there and back."""
