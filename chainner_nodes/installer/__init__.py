# SPDX-License-Identifier: GPL-3.0-or-later
"""What `python -m chainner_nodes` does: standard library only, so that any Python can run it in a clone."""
