// Package chaos runs the program on services of its own while those, the network
// and the workers themselves fail in an order drawn from a seed, and then compares
// all that came of it with test/e2e's reference. It makes no single fault happen
// at a chosen moment: that is for the tests beside the code.
package chaos
