"""What brings records into a run's folder: runners, followers, progress, status, summary."""
