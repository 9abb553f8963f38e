"""The use cases, each once: the command line, the demo, the evaluation and the panel's worker all call these."""
