"""The section Quality: metrics of the latest result, marked as soon as they are out of date."""
