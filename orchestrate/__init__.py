"""The orchestrator: plans a study, runs it on devices, keeps the records, writes the report."""
