"""`bench scale` for budgets: solve on a device's model, measure, correct, and report how it went."""
