"""Networks whose weights have the names and arithmetic of published code."""
