"""The second generation of AetherNet (`stages.*` keys)."""
