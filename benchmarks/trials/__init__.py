"""The pieces of the quality benchmark: what is tried, how it is measured, how it is shown."""
