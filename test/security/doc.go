// Package security holds tests of the program against services that ask for
// TLS, logins and permissions, with a certificate authority of its own. The rights
// that they give are those of docs/security.md, read from that page.
package security
