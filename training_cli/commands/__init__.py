"""The subcommands of `sst`: each parses its options, calls a use case and prints."""
