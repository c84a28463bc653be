"""The measured line: what siftstream costs beside ONNX Runtime alone and beside what one would write."""
