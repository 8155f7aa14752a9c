"""``python -m scinet``: see scinet.cli.main."""

import sys

from scinet.cli.main import main

sys.exit(main())
