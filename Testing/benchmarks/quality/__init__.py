"""Research on faithful styles: a cohort of registered contrasts, trainings at equal minutes, and their judgement.

``python -m Testing.benchmarks.quality.protocol --help`` from the repository's root.
"""
