"""What has to be there before anything runs: the engine's packages and the models on this machine."""
