"""What can be wrong with training data and runs, as one sentence for the user."""

from scinet.errors import SciNetError


class DataError(SciNetError):
    """Training data or a run's file that is missing, damaged or of another shape than expected."""
