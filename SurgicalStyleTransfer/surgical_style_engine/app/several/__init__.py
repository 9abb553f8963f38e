"""Cases with several inputs of one patient: what each is, and how they come to lie on one grid."""
