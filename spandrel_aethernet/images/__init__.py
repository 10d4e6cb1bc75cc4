"""Image files and their channels; no network is known here."""
