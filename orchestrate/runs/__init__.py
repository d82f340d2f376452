"""What a run leaves on disk: plan, folder, staging. Knows no engine."""
