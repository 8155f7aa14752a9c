"""How many damaged files are tried, and which."""

import os

CASES = int(os.environ.get("FUZZ_CASES", "200"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))


def pytest_report_header() -> str:
    return f"fuzz: FUZZ_CASES={CASES} FUZZ_SEED={SEED}"
