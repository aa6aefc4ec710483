// Package fold joins a stretch of the log into one State for each document, on disk
// where memory does not hold them: what a rebuild writes and a verification compares
// with. It is scratch space of one process, gone with it; it writes to no index, and
// what wins is decided by [document.Join] alone.
package fold
