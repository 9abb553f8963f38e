"""Files of many patients: which go together, what is done with each, and where the results go."""
