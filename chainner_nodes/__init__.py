# SPDX-License-Identifier: GPL-3.0-or-later
"""AetherNet in chaiNNer: the nodes (`aethernet`), and what puts them there (`python -m chainner_nodes`)."""
