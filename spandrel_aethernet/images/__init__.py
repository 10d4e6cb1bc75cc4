"""Image files, tiles, and what is measured and drawn of them."""
