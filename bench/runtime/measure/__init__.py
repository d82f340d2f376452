"""Inside a measuring process: timing, memory, accuracy, and whether a measurement is valid."""
