"""The data of a training on many domains: volumes of one patient in groups, on one grid."""
