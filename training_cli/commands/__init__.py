"""The subcommands of `sst`, a module each: options in, use case called, sentences out."""
