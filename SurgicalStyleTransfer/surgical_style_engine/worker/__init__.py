"""The process that computes for the panel: messages in, use cases, messages out."""
