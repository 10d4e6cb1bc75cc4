"""`python -m spandrel_aethernet` is the `aethernet` command."""

import sys

from .cli import main

sys.exit(main())
