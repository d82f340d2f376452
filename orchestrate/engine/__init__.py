"""Engines on boards: the only package that imports docker, and that starts ssh."""
