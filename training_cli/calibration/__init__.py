"""How wide a model's errors are on patients that it was not trained on, found once and kept in its folder."""
