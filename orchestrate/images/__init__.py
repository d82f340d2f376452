"""One image a board: described in manifests/images.yaml, built, pushed, pulled, loaded over SSH."""
