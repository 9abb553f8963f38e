"""DICOM: which files make a series (select), where slices and frames lie, their values, and writing derived series."""
