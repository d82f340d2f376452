"""What every runtime that we support can read."""

OPSET = 13  # the newest that TensorRT 8.2 (JetPack 4.6) reads
MAX_IR = 8  # the newest that onnxruntime 1.10 (the last for Python 3.6) reads
