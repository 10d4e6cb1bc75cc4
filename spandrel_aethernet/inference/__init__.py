"""Networks of every kind, loaded and run on images of any size."""
