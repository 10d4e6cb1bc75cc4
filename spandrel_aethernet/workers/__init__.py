"""The same work by several processes or machines: one worker a GPU, its bytes those of one alone."""
