"""Registration of two contrasts through the translation of one of them."""
