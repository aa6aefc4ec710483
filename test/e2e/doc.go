// Package e2e proves the whole program on real services: an adversarial
// generator of events, a naive reference that says what must come of them, and a
// comparison of both with what stands in the indices and the dead-letter topic.
//
// The reference shares no code with the program, on purpose: where both are
// wrong in the same way, nothing else would notice. It is slow and keeps
// everything in memory, so it is not for production and not a model for it.
package e2e
