"""Pictures for people: a translation beside its input, two aligned volumes, and the volume of the demo."""
