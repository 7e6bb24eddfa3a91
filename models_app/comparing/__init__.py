"""Several models beside each other: which ones (`chosen`), their curves (`graphs`), settings and scores (`table`)."""
