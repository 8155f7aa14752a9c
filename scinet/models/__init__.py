"""The models: architectures, cards, checkpoints, custom models and ONNX."""
