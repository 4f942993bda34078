"""Run folders in, figures and one page out.

This room reads the files of a run folder (YAML, JSON, CSV, text, PNG) and nothing else: no torch, no Hydra,
no Lightning. ``runs`` reads them, ``curves`` draws the training curves, ``sections`` decides what a page
shows of a run, ``texts`` takes the sample files apart and ``page`` writes one self-contained HTML file.
"""
