"""Models of one's own: an ONNX file, made static and self-contained, checked, and given a reference.

`prepare` does the work, `process` does it in a child process with limits: a model may be a stranger's.
"""
