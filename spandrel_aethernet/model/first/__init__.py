"""The first generation of AetherNet (`layers.*` keys)."""
