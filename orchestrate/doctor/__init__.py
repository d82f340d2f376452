"""What is wrong on a board, and how to mend it: `orchestrate devices check`."""
