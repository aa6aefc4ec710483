// Package observe tests what people look at: the page in a real browser, every query
// of the dashboard and the alerts on a real run, traces. It is a module of its own,
// since browsers and Prometheus bring much that the program has no use for.
package observe
