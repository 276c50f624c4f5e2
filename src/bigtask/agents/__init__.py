"""The backends that do the work: `protocol` says what one is, `table` names them all."""
