"""What fanin takes from scikit-learn by name; its data sets are looked up by text."""
