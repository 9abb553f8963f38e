"""What runs a generator: torch, OpenVINO or ONNX Runtime, on which device and how exactly."""
