"""The folder that a model is published as: every form of one checkpoint, measured, with checksums."""
