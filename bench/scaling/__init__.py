"""How widths are chosen for a target size: uniform, neuralscale, aligned."""
