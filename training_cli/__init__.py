"""The command `sst`."""
