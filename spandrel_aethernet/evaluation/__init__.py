"""How good and how fast models are, measured side by side."""
