"""What is done to a whole file of each format. Every function draws from the `Random` that it is given alone."""  # noqa: E501
