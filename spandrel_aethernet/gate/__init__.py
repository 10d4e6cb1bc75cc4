"""What every file from outside passes first: opened once, measured, read by code that runs nothing of it."""
