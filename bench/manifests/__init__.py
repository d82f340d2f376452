"""What a person writes in YAML: one reader, one search path, and what the files of `manifests/` mean."""
