//! The nouns of ArqonBus: names, types, schemas, values, rows, updates, delta batches, epochs.
