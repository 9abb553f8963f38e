"""One look across scanners: grey values by tissue, brought to those of a reference."""
