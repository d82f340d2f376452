"""One module a command: `register(app)` adds it. At the top they import typer and our errors only."""
