"""What brings models from elsewhere into model folders: other codes' weights, ONNX files, pictures."""
