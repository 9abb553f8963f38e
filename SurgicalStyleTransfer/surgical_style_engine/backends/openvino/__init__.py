"""Generators compiled by OpenVINO for the CPU."""
