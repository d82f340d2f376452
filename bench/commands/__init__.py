"""One module a group of commands, each with `register(app)`; heavy imports are inside the commands."""
