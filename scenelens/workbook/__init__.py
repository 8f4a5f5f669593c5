"""Runs the notebooks from clean kernels and writes them as pages that need no network and no server.

Executing a notebook notices an exception in a cell, and nothing else: a widget's callback can fail unseen,
and a notebook that does nothing passes. So each executed notebook is read again for what a reader would
stumble over (`scenelens.workbook.problems`), and ``python -m scenelens.workbook`` fails if it finds anything.
"""
