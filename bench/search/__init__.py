"""NeuralScale search: gates, Taylor importance, pruning, architecture descent."""
