"""What predicts and learns: encoders in ONNX Runtime, heads, artifacts, training, calibration, the gate."""
