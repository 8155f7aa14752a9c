"""``python -m scinet``: see scinet.cli."""

import sys

from scinet.cli import main

sys.exit(main())
