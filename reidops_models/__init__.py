"""Person re-identification on the operators of `reidops`: data, evaluation, training, and one package per paper."""
