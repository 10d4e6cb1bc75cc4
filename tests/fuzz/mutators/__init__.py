"""What is done to whole files of each format, drawn from the `Random` that is given."""
