"""One script a question, each `python -m benchmarks.NAME`; results/ holds what they wrote."""
