"""What a person writes in YAML: one reader, one search path, and what the files of `manifests/` mean."""

import os

# At its first model pydantic looks for plugins in the metadata of every installed package: tens of ms.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
