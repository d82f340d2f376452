"""One module a command: `register(app)` adds it; `add_device` and `check` add to the group of `devices`, and
`complete` has none. At the top they import typer and our errors only."""
