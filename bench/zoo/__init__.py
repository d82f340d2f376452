"""Architectures as functions from width vectors to networks, each with its cost beside it."""
