"""Pre-training: a corpus on disk, pairs of sentences, corruption, and objectives."""
