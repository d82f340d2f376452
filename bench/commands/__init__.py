"""One module a group of commands, each with `register(app)`; heavy imports stand inside the commands."""
