"""Training and judging the recogniser of contrasts: python -m Testing.benchmarks.recognise --help."""
