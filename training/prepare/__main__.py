"""``python -m training.prepare``."""

from training.command import run_command
from training.prepare.main import main

if __name__ == "__main__":
    run_command(main, resumes=True)
