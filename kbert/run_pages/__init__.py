"""The report of a run as a page: what it was, how it learnt, what it can do and where it fails."""
