"""Training: data sets, recipes, the loop, sweeps."""
