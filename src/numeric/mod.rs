//! Special functions, optimisers and deterministic loops that the models share.
