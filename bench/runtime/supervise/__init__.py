"""The parent process: works through a job list, starts measuring processes, writes records."""
