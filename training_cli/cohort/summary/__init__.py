"""The summary page of a cohort: made of its manifest alone, outliers first."""
