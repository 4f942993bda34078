"""Run folders in, figures and pages out.

This room reads the files of a run folder (YAML, JSON, CSV, text, pictures) and nothing else: no torch, no Hydra,
no Lightning. ``runs`` reads them; ``curves`` draws training, ``judgements`` what was measured, both in the look of
``figures``; ``sheets`` puts many small images into one picture. ``sections`` decides what a page shows of a run,
``texts`` and ``pictures`` make its samples ready and ``page`` writes one self-contained HTML file; ``markdown`` and
``image_tables`` write the figures of runs, ``comparison`` those of runs side by side.

Of a study, which ``genlab.studies`` reads: ``figure_specs`` reads the figures that its file asks for and
``study_figures`` draws them (its docstring tells the language); ``study_tables`` makes its tables, ``study_views`` and
``claim_views`` what the page shows of it and of its claims, and ``study_markdown`` its page in ``docs/studies``.
"""
