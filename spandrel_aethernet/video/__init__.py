"""Videos: read, enlarged in segments that outlive a killed run, and written with all that the source holds.

PyAV (the extra `video`) brings FFmpeg's libraries. What is said of them here was measured with PyAV 18.1 and
FFmpeg 8.1 (libavcodec 62.28). No network is known here: whoever calls brings what enlarges the frames.
"""
