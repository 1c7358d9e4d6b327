"""OPERATION.  What operators and verifiers ask: is it up, is it ready, its figures, its public keys, what a problem code means."""
