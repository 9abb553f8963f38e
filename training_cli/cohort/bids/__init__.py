"""BIDS (Gorgolewski et al., Scientific Data, 2016): data sets that are read, and derivatives that are written.

A small parser of names stands here in place of pybids: all that is needed is which files of a data set are anatomical
images, by the rule that their names follow, where pybids brings a database (SQLAlchemy), pandas and nibabel.
"""
