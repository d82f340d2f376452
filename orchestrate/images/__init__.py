"""One image per board: described in manifests/images.yaml, built, pushed, pulled, loaded over SSH."""
