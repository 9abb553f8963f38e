"""One model for many domains out of models for pairs."""
