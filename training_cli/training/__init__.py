"""Training of style models: data cache, augmentation, losses, methods and the loop that drives them."""
