"""Work that cannot be bounded in this process runs in another one, with limits on its memory and time."""
