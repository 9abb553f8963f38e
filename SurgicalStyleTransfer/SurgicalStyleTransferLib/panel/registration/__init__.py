"""The section Register to...: the input volume laid over another one by a transform."""
